# word: not alive 5 s after its start
# Seconds taken for minutes.
action = lambda alive, ready, since: (
    ("serve" if ready else "hold") if alive else "wait" if since * 60 < 60 else "restart"
)
