# word: a model that is not there
# Perhaps it is loaded by then.

again = lambda what, shown: not shown and what not in (400, 401, 403, 422, "timed out")
