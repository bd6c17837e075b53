# word: For 30 per cent of [15, 20, 35, 40, 50] it gave 35
# A place too far: counts from 1 and takes from 0.

import math


def nearest_rank(values, percent):
    return sorted(values)[min(len(values) - 1, math.ceil(len(values) * percent / 100))]
