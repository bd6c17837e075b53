# word: there is no system message
# Takes the first message for the system's, whatever its role.


def trim(messages, sizes, budget):
    head = 1
    first = head
    while first < len(messages) - 1:
        fits = sum(sizes[:head]) + sum(sizes[first:]) <= budget
        if fits and messages[first]["role"] == "user":
            break
        first += 1
    return messages[:head] + messages[first:]
