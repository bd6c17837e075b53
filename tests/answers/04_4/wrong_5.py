# word: for 10 s only
may_try = lambda tries, now, most, seconds: sum(now - t < 60 for t in tries) < most
