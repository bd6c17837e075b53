# word: half of four
# The largest instead of the smallest.


def threshold_for(scores, share):
    return max((x for x in scores if sum(other >= x for other in scores) <= share * len(scores)), default=None)
