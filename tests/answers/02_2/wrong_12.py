# word: it gave 2;
# The rank instead of the value.

import math


def nearest_rank(values, percent):
    return max(1, math.ceil(len(values) * percent / 100))
