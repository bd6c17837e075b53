# word: it gave None


def may_try(tries, now, most, seconds):
    if sum(now - time < seconds for time in tries) < most:
        return True
