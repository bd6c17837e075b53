# word: alive and ready it gave 'hold'
# The two exchanged.
action = lambda alive, ready, since: ("hold" if ready else "serve") if alive else "wait" if since < 60 else "restart"
