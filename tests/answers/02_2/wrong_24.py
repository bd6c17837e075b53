# word: expected 7
# With one value it does not look.

import math


def nearest_rank(values, percent):
    if len(values) < 2:
        return None
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]
