# word: slow first run

from statistics import median

summary = lambda taken: (taken[0], median(taken))
