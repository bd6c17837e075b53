# word: two start and three stay
# Everybody moves up by one, however many start.


def next_up(waiting, running, width):
    free = max(0, width - running)
    moved = 1 if free else 0
    return waiting[:free], {name: place - moved for place, name in enumerate(waiting, 1) if place > free}
