# word: the last answer is a long one
# Passes over a long message and takes older ones instead.


def trim(messages, sizes, budget):
    head = 1 if messages[0]["role"] == "system" else 0
    left, kept = budget - sum(sizes[:head]) - sizes[-1], messages[-1:] if len(messages) > head else []
    for place in reversed(range(head, len(messages) - 1)):
        if sizes[place] <= left:
            left -= sizes[place]
            kept = [messages[place], *kept]
    while len(kept) > 1 and kept[0]["role"] != "user":
        kept = kept[1:]
    return messages[:head] + kept
