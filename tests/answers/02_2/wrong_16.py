# word: For 40 per cent
# More than that many, where at least that many is asked for.

import math


def nearest_rank(values, percent):
    for value in sorted(values):
        if 100 * sum(other <= value for other in values) > percent * len(values):
            return value
    return max(values)
