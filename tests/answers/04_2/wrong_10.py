# word: expected a dictionary
# The places as a list of pairs.


def next_up(waiting, running, width):
    free = max(0, width - running)
    return waiting[:free], [(name, place) for place, name in enumerate(waiting[free:], 1)]
