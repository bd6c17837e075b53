# word: nobody listened any more
# No connection: then nothing can have been shown, it thinks.


def again(what, shown):
    if what == "no connection":
        return True
    return not shown and (what in (429, "dropped") or (isinstance(what, int) and what >= 500))
