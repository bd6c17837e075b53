# word: type tuple
# A tuple, to which nobody can append.


def next_messages(history, question, reply):
    return (*history, {"role": "user", "content": question}, {"role": "assistant", "content": reply})
