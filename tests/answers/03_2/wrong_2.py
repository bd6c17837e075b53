# word: equal scores
# Equal scores are not looked at.


def threshold_for(scores, share):
    count = int(len(scores) * share)
    return sorted(scores)[-count] if count else None
