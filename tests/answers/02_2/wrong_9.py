# word: For 0 per cent
# Place 0 minus 1 is the last one.

import math


def nearest_rank(values, percent):
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]
