# word: expected a list of 3
# Only the best one.
import math


def probabilities(logits):
    raised = [math.exp(each - max(logits)) for each in logits]
    return max(raised) / sum(raised)
