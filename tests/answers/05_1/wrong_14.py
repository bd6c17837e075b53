# word: far above the other
# In order of size, no longer in the order of the logits.
import math


def probabilities(logits):
    raised = sorted(math.exp(each - max(logits)) for each in logits)
    return [each / sum(raised) for each in raised]
