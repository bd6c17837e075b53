# word: not a whole number of scores
# Rounds the budget up.
import math


def threshold_for(scores, share):
    allowed = math.ceil(share * len(scores))
    return min((x for x in scores if sum(other >= x for other in scores) <= allowed), default=None)
