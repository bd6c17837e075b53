from collections import OrderedDict, namedtuple

Turn = namedtuple("Turn", "now places")


def next_up(waiting, running, width):
    free = width - running if width > running else 0
    places = OrderedDict()
    for index in range(free, len(waiting)):
        places[waiting[index]] = index - free + 1
    return Turn(tuple(waiting[:free]), places)
