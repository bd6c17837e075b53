def threshold_for(scores, share):
    good = [score for score in scores if len([x for x in scores if x >= score]) <= share * len(scores)]
    return min(good, default=None)
