# word: a question without an answer is first
# Drops two at a time: not every question has its answer.


def trim(messages, sizes, budget):
    head = 1 if messages[0]["role"] == "system" else 0
    first = head
    while first < len(messages) - 1:
        if sum(sizes[:head]) + sum(sizes[first:]) <= budget and messages[first]["role"] == "user":
            break
        first = min(first + 2, len(messages) - 1)
    return messages[:head] + messages[first:]
