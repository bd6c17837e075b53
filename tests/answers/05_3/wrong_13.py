# word: very short runs
from statistics import median

summary = lambda taken: (taken[0], round(median(taken[1:]), 2))
