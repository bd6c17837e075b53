# word: the last message was lost
# May drop everything.


def trim(messages, sizes, budget):
    head = 1 if messages[0]["role"] == "system" else 0
    first = head
    while first < len(messages):
        fits = sum(sizes[:head]) + sum(sizes[first:]) <= budget
        if fits and messages[first]["role"] == "user":
            break
        first += 1
    return messages[:head] + messages[first:]
