# word: changed the list
# Changes the list.

import math


def nearest_rank(values, percent):
    values.sort()
    return values[max(1, math.ceil(len(values) * percent / 100)) - 1]
