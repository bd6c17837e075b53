# word: a try at 0 s
# 0 is taken for no time.

may_try = lambda tries, now, most, seconds: len([t for t in tries if t and now - t < seconds]) < most
