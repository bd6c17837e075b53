# word: first by name
# In the order of the alphabet.


def next_up(waiting, running, width):
    free, line = max(0, width - running), sorted(waiting)
    return line[:free], {name: place for place, name in enumerate(line[free:], 1)}
