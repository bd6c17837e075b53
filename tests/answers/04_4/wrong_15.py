# word: one of one
# The first try is always free.

may_try = lambda tries, now, most, seconds: len(tries) <= 1 or sum(now - t < seconds for t in tries) < most
