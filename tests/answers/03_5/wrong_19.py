# word: refused for itself

again = lambda what, shown: not shown and what not in (401, 403, 404, 422, "timed out")
