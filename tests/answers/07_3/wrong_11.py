# word: alive early and not ready
# Waits for the model, too.
action = lambda alive, ready, since: (
    "serve" if alive and ready else "wait" if since < 60 else "hold" if alive else "restart"
)
