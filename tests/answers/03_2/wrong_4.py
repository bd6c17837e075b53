# word: changed the list


def threshold_for(scores, share):
    scores.sort()
    for score in scores:
        if sum(other >= score for other in scores) <= share * len(scores):
            return score
