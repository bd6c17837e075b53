from collections import deque


def may_try(tries, now, most, seconds):
    recent = deque(tries)
    while recent and now - recent[0] >= seconds:
        recent.popleft()
    if len(recent) >= most:
        return False
    return True
