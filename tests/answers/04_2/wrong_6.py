# word: there is room for all
# One at a time.


def next_up(waiting, running, width):
    free = 1 if running < width else 0
    return waiting[:free], {name: place for place, name in enumerate(waiting[free:], 1)}
