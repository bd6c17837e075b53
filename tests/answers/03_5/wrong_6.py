# word: forbidden
again = lambda what, shown: not shown and what not in (400, 401, 404, "timed out")
