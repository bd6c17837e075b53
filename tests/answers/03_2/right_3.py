from collections import Counter


def threshold_for(scores, share):
    counts, used, best = Counter(scores), 0, None
    for score in sorted(counts, reverse=True):
        used += counts[score]
        if used > share * len(scores):
            return best
        best = score
    return best
