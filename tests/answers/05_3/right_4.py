def summary(taken):
    # From both ends, until one or two are left.
    copy = list(taken)
    first = copy.pop(0)
    while len(copy) > 2:
        copy.remove(min(copy))
        copy.remove(max(copy))
    return first, sum(copy) / len(copy)
