from bisect import bisect_right


def may_try(tries, now, most, seconds):
    ordered = sorted(tries)
    return len(ordered) - bisect_right(ordered, now - seconds) < most
