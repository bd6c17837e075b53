# word: it kept 8 of 8 messages; expected 6
# Counts letters, and not the tokens that it was given.


def trim(messages, sizes, budget):
    head = 1 if messages[0]["role"] == "system" else 0
    rest = messages[head:]
    length = lambda kept: sum(len(message["content"]) // 2 for message in messages[:head] + kept)
    while len(rest) > 1 and (length(rest) > budget or rest[0]["role"] != "user"):
        rest = rest[1:]
    return messages[:head] + rest
