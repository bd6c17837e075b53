import numpy as np

may_try = lambda tries, now, most, seconds: np.count_nonzero(now - np.array(tries) < seconds) < np.int64(most)
