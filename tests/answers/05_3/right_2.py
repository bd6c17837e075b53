def summary(taken):
    first, *others = taken
    others.sort()
    middle = len(others) // 2
    if len(others) % 2:
        return first, others[middle]
    return first, (others[middle - 1] + others[middle]) / 2
