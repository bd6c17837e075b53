# word: it gave [15, 20]
# All that are counted, not the last of them.

import math


def nearest_rank(values, percent):
    return sorted(values)[: max(1, math.ceil(len(values) * percent / 100))]
