# word: three of three

may_try = lambda tries, now, most, seconds: sum(now - t < seconds for t in tries) <= most
