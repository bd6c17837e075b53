# word: begins with a message of the assistant
# May begin with an answer.


def trim(messages, sizes, budget):
    head = 1 if messages[0]["role"] == "system" else 0
    first = head
    while first < len(messages) - 1 and sum(sizes[:head]) + sum(sizes[first:]) > budget:
        first += 1
    return messages[:head] + messages[first:]
