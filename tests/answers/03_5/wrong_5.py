# word: a gateway
again = lambda what, shown: not shown and what in (429, 500, 503, "dropped", "no connection")
