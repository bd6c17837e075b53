# word: nothing listened
# Nobody there: it gives up.

again = lambda what, shown: not shown and (what in (429, "dropped") or (isinstance(what, int) and what >= 500))
