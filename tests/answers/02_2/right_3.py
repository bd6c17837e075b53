# Takes the smallest away as long as too few are counted.
import heapq


def nearest_rank(values, percent):
    heap = values[:]
    heapq.heapify(heap)
    counted = 1
    smallest = heapq.heappop(heap)
    while counted * 100 < len(values) * percent:
        smallest = heapq.heappop(heap)
        counted += 1
    return smallest
