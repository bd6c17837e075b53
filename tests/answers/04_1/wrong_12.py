# word: it gave None
# Nothing is returned where nothing is left.


def visible(messages):
    kept = [pair for pair in messages if pair[0] != "note"]
    if kept:
        return [p for p, q in zip(kept, [*kept[1:], ("answer", "")]) if "answer" in (p[0], q[0])]
