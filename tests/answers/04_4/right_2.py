def may_try(tries, now, most, seconds):
    left = most
    for time in tries:
        if now - time < seconds:
            left -= 1
    return left > 0
