# word: places
# Counts from 0.


def next_up(waiting, running, width):
    free = max(0, width - running)
    return waiting[:free], {name: place for place, name in enumerate(waiting[free:])}
