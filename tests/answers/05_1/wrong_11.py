# word: the logarithms of 1, 2 and 5
# Powers of 2.
def probabilities(logits):
    raised = [2 ** (each - max(logits)) for each in logits]
    return [each / sum(raised) for each in raised]
