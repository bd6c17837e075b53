# word: places
# The places of before.


def next_up(waiting, running, width):
    free = max(0, width - running)
    return waiting[:free], {name: waiting.index(name) + 1 for name in waiting[free:]}
