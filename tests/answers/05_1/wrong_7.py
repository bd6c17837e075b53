# word: Take the largest logit off
import math


def probabilities(logits):
    raised = [math.exp(each - logits[0]) for each in logits]
    return [each / sum(raised) for each in raised]
