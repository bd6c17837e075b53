def threshold_for(scores, share):
    best = None
    for score in sorted(set(scores), reverse=True):
        if len([other for other in scores if other >= score]) > share * len(scores):
            break
        best = score
    return best
