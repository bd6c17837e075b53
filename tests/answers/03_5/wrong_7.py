# word: a wrong field
again = lambda what, shown: not shown and what not in (400, 401, 403, 404, "timed out")
