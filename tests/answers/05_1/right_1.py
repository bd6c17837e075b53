import numpy as np


def probabilities(logits):
    raised = np.exp(np.array(logits) - np.max(logits))
    return list(raised / raised.sum())
