# word: the last message was lost
# Drops the newest instead of the oldest.


def trim(messages, sizes, budget):
    end = len(messages)
    while end > 1 and sum(sizes[:end]) > budget:
        end -= 1
    return messages[:end]
