# word: not in order
# Leaves out the last instead of the first.
from statistics import median

summary = lambda taken: (taken[0], median(taken[:-1]))
