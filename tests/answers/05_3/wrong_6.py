# word: changed the list of timings
from statistics import median


def summary(taken):
    first = taken.pop(0)
    return first, median(taken)
