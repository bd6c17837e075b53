# word: For 12.5 per cent
# Cuts a fraction of a per cent off.

import math


def nearest_rank(values, percent):
    return sorted(values)[max(1, math.ceil(len(values) * int(percent) / 100)) - 1]
