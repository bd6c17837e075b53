# word: wrong key

again = lambda what, shown: not shown and what in (400, 401, 404, 429, 500, 503, "dropped", "no connection")
