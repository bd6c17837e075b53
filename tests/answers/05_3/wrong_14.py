# word: one run that was disturbed
# Each time once.
from statistics import median

summary = lambda taken: (taken[0], median(set(taken[1:])))
