# word: a quarter of a second before
# Rounds first.
action = lambda alive, ready, since: (
    ("serve" if ready else "hold") if alive else "wait" if round(since) < 60 else "restart"
)
