# word: an even number
# The lower one of the two in the middle.
import statistics

summary = lambda taken: (taken[0], statistics.median_low(taken[1:]))
