# word: returned texts
import math


def probabilities(logits):
    raised = [math.exp(each - max(logits)) for each in logits]
    return [f"{each / sum(raised):.9f}" for each in raised]
