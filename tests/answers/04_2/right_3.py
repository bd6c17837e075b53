from itertools import count, islice


def next_up(waiting, running, width):
    line = iter(waiting)
    now = list(islice(line, max(width - running, 0)))
    return [now, dict(zip(line, count(1)))]
