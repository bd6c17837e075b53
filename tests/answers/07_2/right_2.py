# Both hints, word by word.
import math


def quantile(buckets, share):
    rank = share * buckets[-1][1]
    low = before = 0.0
    for high, count in buckets:
        if count >= rank:
            if buckets[-1][1] == 0:
                return None
            if math.isinf(high):
                return low
            return low + (high - low) * (rank - before) / (count - before)
        low, before = high, count
