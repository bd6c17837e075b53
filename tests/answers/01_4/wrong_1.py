# word: changed the list
# Changes the list it was given.


def next_messages(history, question, reply):
    history += [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
    return history
