# word: long ago

may_try = lambda tries, now, most, seconds: not tries or now - tries[-1] >= seconds or len(tries) < most
