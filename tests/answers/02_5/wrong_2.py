# word: system message was lost
# Loses the system message.


def trim(messages, sizes, budget):
    while len(messages) > 1 and sum(sizes) > budget:
        messages, sizes = messages[1:], sizes[1:]
    return messages
