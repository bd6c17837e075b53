# word: an answer at the end
# The last one is added, also where it is an answer that is there already.


def visible(messages):
    kept = [pair for pair in messages if pair[0] != "note"]
    result = []
    for pair, after in zip(kept, kept[1:]):
        if (pair[0], after[0]) == ("user", "answer"):
            result += [pair, after]
    return result + kept[-1:]
