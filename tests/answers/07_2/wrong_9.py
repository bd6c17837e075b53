# word: 15 of the 30
# Divides by the count up to the bound.
import math


def quantile(buckets, share):
    rank = share * buckets[-1][1]
    low, before = 0.0, 0.0
    for high, count in buckets:
        if count >= rank and count > before:
            return low if math.isinf(high) else low + (high - low) * (rank - before) / count
        low, before = high, count
    return None
