def trim(messages, sizes, budget):
    pairs = list(zip(messages, sizes))
    head = [pairs.pop(0)] if messages[0]["role"] == "system" else []
    size = lambda: sum(size for _, size in head + pairs)
    while len(pairs) > 1 and (size() > budget or pairs[0][0]["role"] != "user"):
        pairs.pop(0)
    return [message for message, _ in head + pairs]
