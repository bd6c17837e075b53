# word: nobody may start
# 0 is taken for no limit.


def next_up(waiting, running, width):
    free = max(0, (width or len(waiting)) - running)
    return waiting[:free], {name: place for place, name in enumerate(waiting[free:], 1)}
