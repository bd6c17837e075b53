# From the newest back to the oldest, as long as it fits; then to the next question.


def trim(messages, sizes, budget):
    head = int(messages[0]["role"] == "system")
    left = budget - sum(sizes[:head])
    first = len(messages)
    for place in reversed(range(head, len(messages))):
        left -= sizes[place]
        if left < 0:
            break
        first = place
    last = len(messages) - 1
    while first < last and messages[first]["role"] != "user":
        first += 1
    return messages[:head] + messages[max(head, min(first, last)) :]
