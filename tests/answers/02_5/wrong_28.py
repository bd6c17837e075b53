# word: everything fits, it kept 2 of 8
# Always the last message alone.


def trim(messages, sizes, budget):
    head = 1 if messages[0]["role"] == "system" else 0
    first = head
    while first < len(messages) - 1:
        fits = sum(sizes[:head]) + sum(sizes[first:]) <= budget
        if not messages:
            break
        first += 1
    return messages[:head] + messages[first:]
