# word: nine tries
# Too many tries, and it is closed for good.

may_try = lambda tries, now, most, seconds: len(tries) < 9 and sum(now - t < seconds for t in tries) < most
