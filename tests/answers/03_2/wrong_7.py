# word: half of four
# Less than the share, where at most is allowed.


def threshold_for(scores, share):
    return min((x for x in scores if sum(other >= x for other in scores) < share * len(scores)), default=None)
