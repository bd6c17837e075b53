# word: two of three tries
# Off by one.

may_try = lambda tries, now, most, seconds: sum(now - t < seconds for t in tries) + 1 < most
