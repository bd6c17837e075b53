# word: all turns are taken
# Somebody may always start.


def next_up(waiting, running, width):
    free = max(1, width - running)
    return waiting[:free], {name: place for place, name in enumerate(waiting[free:], 1)}
