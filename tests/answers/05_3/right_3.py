import statistics


def summary(taken):
    later = sorted(taken[1:])
    return [taken[0], (statistics.median_low(later) + statistics.median_high(later)) / 2]
