# word: With not alive it gave 'wait'
# Always waits.
action = lambda alive, ready, since: ("serve" if ready else "hold") if alive else "wait"
