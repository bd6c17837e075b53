# word: changed a list
# Changes the list.


def trim(messages, sizes, budget):
    while len(messages) > 2 and (sum(sizes) > budget or messages[1]["role"] != "user"):
        del messages[1], sizes[1]
    return messages
