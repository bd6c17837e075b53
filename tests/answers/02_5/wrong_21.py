# word: changed a list
# Keeps the messages as they were, and eats up the sizes.


def trim(messages, sizes, budget):
    head = 1 if messages[0]["role"] == "system" else 0
    rest = messages[head:]
    while len(rest) > 1 and (sum(sizes) > budget or rest[0]["role"] != "user"):
        rest = rest[1:]
        sizes.pop(head)
    return messages[:head] + rest
