# word: at the moment of its start
# 0 seconds taken for no answer.
action = lambda alive, ready, since: (
    ("serve" if ready else "hold") if alive else "wait" if since and since < 60 else "restart"
)
