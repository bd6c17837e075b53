# word: of [-3, 0.25, -8]
# Sorts by size without the sign.

import math


def nearest_rank(values, percent):
    return sorted(values, key=abs)[max(1, math.ceil(len(values) * percent / 100)) - 1]
