# word: it gave 17.5
# The middle between two neighbours: nobody waited so long.

import math


def nearest_rank(values, percent):
    rank = max(1, math.ceil(len(values) * percent / 100))
    ordered = sorted(values)
    return (ordered[rank - 2] + ordered[rank - 1]) / 2
