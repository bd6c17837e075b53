# word: very small logits
# The largest of the absolute values.
import math


def probabilities(logits):
    top = max(map(abs, logits))
    raised = [math.exp(each - top) for each in logits]
    return [each / sum(raised) for each in raised]
