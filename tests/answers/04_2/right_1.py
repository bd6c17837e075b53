def next_up(waiting, running, width):
    now = []
    while waiting and running < width:
        now.append(waiting.pop(0))
        running += 1
    return now, dict(zip(waiting, range(1, len(waiting) + 1)))
