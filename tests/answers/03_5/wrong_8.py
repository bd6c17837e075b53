# word: a fault inside the endpoint
# Above 500, without 500 itself.

again = lambda what, shown: (
    not shown and (what in (429, "dropped", "no connection") or (isinstance(what, int) and what > 500))
)
