# word: one of two runs
# Forgets those who run.

next_up = lambda waiting, running, width: (waiting[:width], {n: i for i, n in enumerate(waiting[width:], 1)})
