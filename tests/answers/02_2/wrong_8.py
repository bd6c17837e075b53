# word: For 45 per cent
# Rounds to the nearest, up or down.

import math


def nearest_rank(values, percent):
    return sorted(values)[max(1, int(len(values) * percent / 100 + 0.5)) - 1]
