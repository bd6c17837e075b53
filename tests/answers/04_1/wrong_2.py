# word: one question
# Drops the last question too.


def visible(messages):
    kept = [m for m in messages if m[0] != "note"]
    return [m for m, after in zip(kept, kept[1:]) if "answer" in (m[0], after[0])]
