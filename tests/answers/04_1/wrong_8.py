# word: asked twice
# Looks for the place of a question by its text.


def visible(messages):
    kept = [pair for pair in messages if pair[0] != "note"]
    after = lambda pair: kept[kept.index(pair) + 1 :][:1]
    return [pair for pair in kept if pair[0] == "answer" or not after(pair) or after(pair)[0][0] == "answer"]
