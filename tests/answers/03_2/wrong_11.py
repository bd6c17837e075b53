# word: just too small
# A single question goes away whatever the budget.


def threshold_for(scores, share):
    if len(scores) == 1:
        return scores[0]
    return min((x for x in scores if sum(other >= x for other in scores) <= share * len(scores)), default=None)
