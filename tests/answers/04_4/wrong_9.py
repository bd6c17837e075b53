# word: three of four are recent
# All are forgotten as soon as the first is old.

may_try = lambda tries, now, most, seconds: len(tries) < most or now - tries[0] >= seconds
