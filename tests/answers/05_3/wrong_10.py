# word: a first run that was the fastest
# Leaves out the slowest, not the first.
from statistics import median

summary = lambda taken: (taken[0], median(sorted(taken)[:-1]))
