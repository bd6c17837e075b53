# word: above the mean of all
# The mean taken off, instead of the largest.
import math


def probabilities(logits):
    mean = sum(logits) / len(logits)
    raised = [math.exp(each - mean) for each in logits]
    return [each / sum(raised) for each in raised]
