def next_up(waiting, running, width):
    now, places = [], {}
    for name in waiting:
        if running + len(now) < width:
            now.append(name)
        else:
            places[name] = len(places) + 1
    return now, places
