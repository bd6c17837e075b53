# word: three equal scores
# Counts equal scores once.


def threshold_for(scores, share):
    different = set(scores)
    fits = [x for x in different if sum(other >= x for other in different) <= share * len(scores)]
    return min(fits, default=None)
