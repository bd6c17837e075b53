# word: the word answer
# Looks for "answer" in the whole pair.


def visible(messages):
    kept = [pair for pair in messages if pair[0] != "note"]
    return [p for p, q in zip(kept, [*kept[1:], ("answer", "")]) if "answer" in (*p, *q)]
