# word: no budget
# Returns a number that nothing reaches, where None was asked for.


def threshold_for(scores, share):
    fits = [x for x in scores if sum(other >= x for other in scores) <= share * len(scores)]
    return min(fits) if fits else float("inf")
