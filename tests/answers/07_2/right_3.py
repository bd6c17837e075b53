import bisect


def quantile(buckets, share):
    bounds, counts = zip(*buckets)
    if not counts[-1]:
        return None
    rank = counts[-1] * share
    place = bisect.bisect_left(counts, rank)
    if place == len(buckets) - 1:
        return bounds[-2]
    low, before = (bounds[place - 1], counts[place - 1]) if place else (0, 0)
    return low + (bounds[place] - low) * (rank - before) / (counts[place] - before)
