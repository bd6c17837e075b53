# word: gave None
# The last branch is missing.


def again(what, shown):
    if shown:
        return False
    if what in ("dropped", "no connection") or (isinstance(what, int) and (what == 429 or what >= 500)):
        return True
