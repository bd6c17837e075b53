# word: it gave 35; expected 20
# Counts what is smaller, not what is no larger.

import math


def nearest_rank(values, percent):
    for value in sorted(values):
        if 100 * sum(other < value for other in values) >= percent * len(values):
            return value
    return max(values)
