# word: the places were {1: 'b'
# From place to name.


def next_up(waiting, running, width):
    free = max(0, width - running)
    return waiting[:free], dict(enumerate(waiting[free:], 1))
