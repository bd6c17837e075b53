# word: three of four are recent
# By the minute of the clock: each new minute begins at 0.

may_try = lambda tries, now, most, seconds: sum(t // seconds == now // seconds for t in tries) < most
