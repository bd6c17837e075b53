# word: scores that fall
# Returns the first that will do, not the smallest.


def threshold_for(scores, share):
    for score in scores:
        if sum(other >= score for other in scores) <= share * len(scores):
            return score
