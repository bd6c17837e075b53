# word: the system message was lost
# Counts the system message and leaves it out.


def trim(messages, sizes, budget):
    head = 1 if messages[0]["role"] == "system" else 0
    first = head
    while first < len(messages) - 1:
        fits = sum(sizes[:head]) + sum(sizes[first:]) <= budget
        if fits and messages[first]["role"] == "user":
            break
        first += 1
    return messages[first:]
