# word: the names were 'a'
# Joins the names.


def next_up(waiting, running, width):
    free = max(0, width - running)
    return ", ".join(waiting[:free]), {name: place for place, name in enumerate(waiting[free:], 1)}
