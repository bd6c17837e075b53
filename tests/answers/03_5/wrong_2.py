# word: after text was shown
# Forgets what was shown.

again = lambda what, shown: what in (429, 500, 503, "dropped", "no connection")
