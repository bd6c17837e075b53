# word: it gave 'wait'; expected 'restart'
# The comparison turned round.
action = lambda alive, ready, since: ("serve" if ready else "hold") if alive else "wait" if since > 60 else "restart"
