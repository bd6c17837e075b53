# word: it gave 3
# How many are left, not whether.

may_try = lambda tries, now, most, seconds: most - sum(now - t < seconds for t in tries)
