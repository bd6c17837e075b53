# word: the 10th is the last one of its bucket
# The middle of the bucket.
import math


def quantile(buckets, share):
    rank = share * buckets[-1][1]
    low, before = 0.0, 0.0
    for high, count in buckets:
        if count >= rank and count > before:
            return low if math.isinf(high) else (low + high) / 2
        low, before = high, count
    return None
