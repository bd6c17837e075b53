# word: the word note
# Looks for "note" in the whole pair.


def visible(messages):
    kept = [pair for pair in messages if "note" not in pair]
    return [p for p, q in zip(kept, [*kept[1:], ("answer", "")]) if "answer" in (p[0], q[0])]
