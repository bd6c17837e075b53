# word: almost too old
# Whole seconds only, rounded up.
import math

may_try = lambda tries, now, most, seconds: sum(math.ceil(now - t) < seconds for t in tries) < most
