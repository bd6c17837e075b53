# word: it gave 'Serve'
# With capital letters.
action = lambda alive, ready, since: (
    ("serve" if ready else "hold") if alive else "wait" if since < 60 else "restart"
).capitalize()
