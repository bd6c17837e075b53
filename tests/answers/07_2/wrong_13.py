# word: nothing is known but that bound
# Leaves out what lies above the last bound.
import math


def quantile(buckets, share):
    rank = share * buckets[-2][1]
    low, before = 0.0, 0.0
    for high, count in buckets:
        if count >= rank and count > before:
            return low if math.isinf(high) else low + (high - low) * (rank - before) / (count - before)
        low, before = high, count
    return None
