# word: nothing is known but that bound
# Infinity.
import math


def quantile(buckets, share):
    rank = share * buckets[-1][1]
    low, before = 0.0, 0.0
    for high, count in buckets:
        if count >= rank and count > before:
            return high if math.isinf(high) else low + (high - low) * (rank - before) / (count - before)
        low, before = high, count
    return None
