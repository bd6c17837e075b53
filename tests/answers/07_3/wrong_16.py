# word: it gave None
# Nothing to do, nothing said.
action = lambda alive, ready, since: (
    "serve" if alive and ready else None if alive else "wait" if since < 60 else "restart"
)
