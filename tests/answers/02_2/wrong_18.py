# word: For 30 per cent of [15, 20, 35, 40, 50] it gave 50
# Takes percent for a share from 0 to 1.

import math


def nearest_rank(values, percent):
    return sorted(values)[min(len(values), max(1, math.ceil(len(values) * percent))) - 1]
