import numpy as np

my_score = lambda prompt: np.float32(not prompt.isascii())
