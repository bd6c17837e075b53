# word: it gave 98.0; expected 99
# Sorts the numbers as text.

import math


def nearest_rank(values, percent):
    return sorted(values, key=str)[max(1, math.ceil(len(values) * percent / 100)) - 1]
