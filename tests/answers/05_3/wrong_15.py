# word: returned None
from statistics import median


def summary(taken):
    print(taken[0], median(taken[1:]))
