# Tries every beginning, the earliest first.


def trim(messages, sizes, budget):
    system = messages[:1] if messages[0]["role"] == "system" else []
    start = len(system)
    for first in range(start, len(messages)):
        fits = sum(sizes[:start] + sizes[first:]) <= budget
        if fits and messages[first]["role"] == "user":
            return system + messages[first:]
    return system + messages[start:][-1:]
