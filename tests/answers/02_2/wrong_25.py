# word: For 100 per cent
# The largest is left out, as an outlier.

import math


def nearest_rank(values, percent):
    ordered = sorted(values)[: max(1, len(values) - 1)]
    return ordered[min(len(ordered), max(1, math.ceil(len(values) * percent / 100))) - 1]
