# word: a threshold of 0
# 0 is taken for nothing found.


def threshold_for(scores, share):
    return min((x for x in scores if sum(other >= x for other in scores) <= share * len(scores)), default=0) or None
