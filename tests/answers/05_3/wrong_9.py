# word: a slow first run
# The median first.
from statistics import median

summary = lambda taken: (median(taken[1:]), taken[0])
