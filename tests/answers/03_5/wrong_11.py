# word: silence after text
# Silence after some text may be a pause, it thinks.


def again(what, shown):
    if what == "timed out":
        return shown
    return not shown and (what in (429, "dropped", "no connection") or (isinstance(what, int) and what >= 500))
