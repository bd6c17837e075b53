# word: that just fit
# Equal scores are left out, also where all of them fit.


def threshold_for(scores, share):
    single = [x for x in scores if scores.count(x) == 1]
    return min((x for x in single if sum(other >= x for other in scores) <= share * len(scores)), default=None)
