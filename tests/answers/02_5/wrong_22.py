# word: the assistant's greeting is first
# Where everything fits, it does not look who begins.


def trim(messages, sizes, budget):
    head = 1 if messages[0]["role"] == "system" else 0
    first = head
    if sum(sizes) <= budget:
        return messages
    while first < len(messages) - 1:
        fits = sum(sizes[:head]) + sum(sizes[first:]) <= budget
        if fits and messages[first]["role"] == "user":
            break
        first += 1
    return messages[:head] + messages[first:]
