# word: the 47.5th
# A rank that is a whole number.
import math


def quantile(buckets, share):
    rank = int(share * buckets[-1][1])
    low, before = 0.0, 0.0
    for high, count in buckets:
        if count >= rank and count > before:
            return low if math.isinf(high) else low + (high - low) * (rank - before) / (count - before)
        low, before = high, count
    return None
