# word: not alive yet, with a ready flag
# Believes the flag while it starts.
action = lambda alive, ready, since: (
    "serve" if ready and (alive or since < 60) else "hold" if alive else "wait" if since < 60 else "restart"
)
