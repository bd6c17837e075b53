# word: it gave ['1']
# The texts without their kinds.


def visible(messages):
    kept = [pair for pair in messages if pair[0] != "note"]
    return [p[1] for p, q in zip(kept, [*kept[1:], ("answer", "")]) if "answer" in (p[0], q[0])]
