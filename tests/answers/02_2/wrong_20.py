# word: it gave 0;
# Whole numbers only.

import math


def nearest_rank(values, percent):
    return int(sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1])
