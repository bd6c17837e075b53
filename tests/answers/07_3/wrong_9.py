# word: 5 s after its start
# Never waits.
action = lambda alive, ready, since: ("serve" if ready else "hold") if alive else "restart"
