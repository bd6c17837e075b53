# word: exactly 60 s
# One comparison too wide.
action = lambda alive, ready, since: ("serve" if ready else "hold") if alive else "wait" if since <= 60 else "restart"
