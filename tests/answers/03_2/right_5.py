import numpy as np


def threshold_for(scores, share):
    values = np.array(scores)
    fits = [value for value in np.unique(values) if np.mean(values >= value) <= share]
    return fits[0] if fits else None
