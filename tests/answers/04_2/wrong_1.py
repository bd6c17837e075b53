# word: more run than may
# Negative numbers cut from the end.


def next_up(waiting, running, width):
    free = width - running
    return waiting[:free], {name: place for place, name in enumerate(waiting[free:], 1)}
