# word: later runs that took as long
from statistics import median


def summary(taken):
    others = [each for each in taken if each != taken[0]]
    return taken[0], median(others or taken)
