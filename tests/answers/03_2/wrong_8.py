# word: half of four
# Above the threshold, not at or above.


def threshold_for(scores, share):
    return min((x for x in scores if sum(other > x for other in scores) <= share * len(scores)), default=None)
