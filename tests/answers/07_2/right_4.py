from itertools import pairwise
from math import isinf


def quantile(buckets, share):
    rank = share * buckets[-1][1]
    for (low, before), (high, count) in pairwise([(0.0, 0.0), *buckets]):
        if before < rank <= count:
            if isinf(high):
                return low
            part = (rank - before) / (count - before)
            return low * (1 - part) + high * part
    return None
