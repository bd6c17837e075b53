# One message less at a time, by calling itself.


def trim(messages, sizes, budget):
    head, sizes = messages[0]["role"] == "system", list(sizes)
    rest = messages[head:]
    if len(rest) < 2 or (sum(sizes) <= budget and rest[0]["role"] == "user"):
        return messages
    del sizes[head]
    return trim(messages[:head] + rest[1:], sizes, budget)
