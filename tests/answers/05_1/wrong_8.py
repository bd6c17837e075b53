# word: Take the largest logit off
import math


def probabilities(logits):
    raised = [math.exp(each - min(logits)) for each in logits]
    return [each / sum(raised) for each in raised]
