# word: it kept 8 of 8 messages; expected 6
# Leaves the oldest message that is kept out of the sum.


def trim(messages, sizes, budget):
    head = 1 if messages[0]["role"] == "system" else 0
    first = head
    while first < len(messages) - 1:
        fits = sum(sizes[:head]) + sum(sizes[first + 1 :]) <= budget
        if fits and messages[first]["role"] == "user":
            break
        first += 1
    return messages[:head] + messages[first:]
