# word: differ by 1
import math


def probabilities(logits):
    raised = [math.exp(max(-700, min(700, each))) for each in logits]
    return [each / sum(raised) for each in raised]
