# word: the last question was asked before
# Drops by value: an equal message goes too.


def trim(messages, sizes, budget):
    head = 1 if messages[0]["role"] == "system" else 0
    first, dropped = head, []
    while first < len(messages) - 1:
        if sum(sizes[:head]) + sum(sizes[first:]) <= budget and messages[first]["role"] == "user":
            break
        dropped.append(messages[first])
        first += 1
    return [message for message in messages if message not in dropped]
