import math


def probabilities(logits):
    # The logarithm of the sum, without a large power in between.
    top = max(logits)
    total = top + math.log(sum(math.exp(each - top) for each in logits))
    return tuple(math.exp(each - total) for each in logits)
