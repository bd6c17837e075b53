# word: an empty reply
# Adds the reply only where it has text.


def next_messages(history, question, reply):
    new = [*history, {"role": "user", "content": question}]
    if reply:
        new.append({"role": "assistant", "content": reply})
    return new
