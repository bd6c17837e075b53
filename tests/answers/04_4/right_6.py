may_try = lambda tries, now, most, seconds: len(tries) < most or now - sorted(tries)[-most] >= seconds
