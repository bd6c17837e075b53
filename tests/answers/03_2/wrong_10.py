# word: no scores at all


def threshold_for(scores, share):
    if not scores:
        return 0.0
    return min((x for x in scores if sum(other >= x for other in scores) <= share * len(scores)), default=None)
