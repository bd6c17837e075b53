# word: no try yet
# The old ones, where the recent ones count.

may_try = lambda tries, now, most, seconds: sum(now - t < seconds for t in tries) >= most
