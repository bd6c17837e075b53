# word: changed the list
# Removes the notes where they are.


def visible(messages):
    for pair in list(messages):
        if pair[0] == "note":
            messages.remove(pair)
    return [p for p, q in zip(messages, [*messages[1:], ("answer", "")]) if "answer" in (p[0], q[0])]
