# word: it gave None
# Computes it, and returns nothing.

import math


def nearest_rank(values, percent):
    value = sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]
    values = [value]
