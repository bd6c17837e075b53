# word: a second system message
# Never drops any system message, where only the first is meant.


def trim(messages, sizes, budget):
    pairs = list(zip(messages, sizes))
    system = [pair for pair in pairs if pair[0]["role"] == "system"]
    rest = [pair for pair in pairs if pair[0]["role"] != "system"]
    while len(rest) > 1 and (sum(size for _, size in system + rest) > budget or rest[0][0]["role"] != "user"):
        rest.pop(0)
    return [message for message, _ in system + rest]
