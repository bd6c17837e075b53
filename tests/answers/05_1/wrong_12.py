# word: changed the list
import math


def probabilities(logits):
    top = max(logits)
    for place, each in enumerate(logits):
        logits[place] = math.exp(each - top)
    return [each / sum(logits) for each in logits]
