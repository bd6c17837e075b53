# word: it kept 2 of 8 messages; expected 8
# The comparison turned: drops while there is room.


def trim(messages, sizes, budget):
    head = 1 if messages[0]["role"] == "system" else 0
    first = head
    while first < len(messages) - 1:
        fits = sum(sizes[:head]) + sum(sizes[first:]) >= budget
        if fits and messages[first]["role"] == "user":
            break
        first += 1
    return messages[:head] + messages[first:]
