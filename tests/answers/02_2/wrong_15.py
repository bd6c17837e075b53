# word: For 75 per cent of [5, 5, 1, 9]
# Counts equal values once.

import math


def nearest_rank(values, percent):
    ordered = sorted(set(values))
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]
