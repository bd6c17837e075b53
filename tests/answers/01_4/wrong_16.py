# word: a long history
# Keeps the last ten messages only.


def next_messages(history, question, reply):
    return [*history[-10:], {"role": "user", "content": question}, {"role": "assistant", "content": reply}]
