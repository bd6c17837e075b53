from bisect import bisect_left


def threshold_for(scores, share):
    ordered = sorted(scores)
    return next((x for x in ordered if len(ordered) - bisect_left(ordered, x) <= share * len(ordered)), None)
