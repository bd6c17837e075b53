# word: alive and not ready: a restart
# Starts it again after a minute without a model.
action = lambda alive, ready, since: (
    "serve" if alive and ready else "restart" if since >= 60 else "hold" if alive else "wait"
)
