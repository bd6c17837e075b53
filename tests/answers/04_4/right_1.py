may_try = lambda tries, now, most, seconds: len([t for t in tries if t > now - seconds]) < most
