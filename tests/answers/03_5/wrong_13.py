# word: waited too long
# 504 is taken for a time-out.


def again(what, shown):
    if shown or what in ("timed out", 504):
        return False
    return isinstance(what, str) or what == 429 or what >= 500
