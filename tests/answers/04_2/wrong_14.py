# word: the names were 1
# How many, not who.


def next_up(waiting, running, width):
    free = max(0, width - running)
    return len(waiting[:free]), {name: place for place, name in enumerate(waiting[free:], 1)}
