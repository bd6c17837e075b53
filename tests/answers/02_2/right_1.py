def nearest_rank(values, percent):
    for value in sorted(values):
        if 100 * sum(other <= value for other in values) >= percent * len(values):
            return value
