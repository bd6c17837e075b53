# word: at the same moment
# Equal times are one try to it.

may_try = lambda tries, now, most, seconds: len({t for t in tries if now - t < seconds}) < most
