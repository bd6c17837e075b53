# word: two of two tries
may_try = lambda tries, now, most, seconds: sum(now - t < seconds for t in tries) < 3
