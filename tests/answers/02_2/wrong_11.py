# word: it gave 40
# From the largest down.

import math


def nearest_rank(values, percent):
    return sorted(values, reverse=True)[max(1, math.ceil(len(values) * percent / 100)) - 1]
