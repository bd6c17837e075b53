# word: expected 0.35
# The rank among the buckets, not among the observations.
import math


def quantile(buckets, share):
    rank = share * len(buckets)
    low, before = 0.0, 0.0
    for high, count in buckets:
        if count >= rank and count > before:
            return low if math.isinf(high) else low + (high - low) * (rank - before) / (count - before)
        low, before = high, count
    return None
