# word: generator
import math


def probabilities(logits):
    raised = [math.exp(each - max(logits)) for each in logits]
    return (each / sum(raised) for each in raised)
