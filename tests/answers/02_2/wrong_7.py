# word: For 30 per cent of [15, 20, 35, 40, 50] it gave 15
# Rounds down.

import math


def nearest_rank(values, percent):
    return sorted(values)[max(1, math.floor(len(values) * percent / 100)) - 1]
