# word: which belong to the text
# Leaves out every letter beyond ASCII.


def next_messages(history, question, reply):
    plain = lambda text: text.encode("ascii", "ignore").decode()
    return [*history, {"role": "user", "content": plain(question)}, {"role": "assistant", "content": plain(reply)}]
