# word: For 50 per cent of [3, 1, 2]
# Forgets to sort.

import math


def nearest_rank(values, percent):
    return values[max(1, math.ceil(len(values) * percent / 100)) - 1]
