# word: a wrong key, after text
# One of the two, instead of one and not the other.

again = lambda what, shown: (what in (429, 500, 502, 503, 504, "dropped", "no connection")) != shown
