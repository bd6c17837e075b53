# word: just as long ago

may_try = lambda tries, now, most, seconds: sum(now - t <= seconds for t in tries) < most
