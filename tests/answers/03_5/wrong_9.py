# word: too many requests, after
# and binds closer than or.

again = lambda what, shown: (
    (not shown and (what in ("dropped", "no connection") or str(what).startswith("5"))) or what == 429
)
