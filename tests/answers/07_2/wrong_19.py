# word: not the empty one behind it
# On the wrong side of equal counts.
from bisect import bisect_right


def quantile(buckets, share):
    bounds, counts = zip((0.0, 0.0), *buckets)
    rank = share * counts[-1]
    place = bisect_right(counts, rank, lo=1)
    if place >= len(counts) - 1:
        return bounds[-2] if rank else None
    low, high, before, count = *bounds[place - 1 : place + 1], *counts[place - 1 : place + 1]
    return low + (high - low) * (rank - before) / (count - before)
