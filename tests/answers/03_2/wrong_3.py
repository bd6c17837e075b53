# word: no budget
# More than the budget.


def threshold_for(scores, share):
    for score in sorted(set(scores), reverse=True):
        if sum(other >= score for other in scores) >= share * len(scores):
            return score
