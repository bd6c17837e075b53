# word: a question that was asked before
# Leaves out a question that is there already.


def next_messages(history, question, reply):
    new = list(history)
    for message in ({"role": "user", "content": question}, {"role": "assistant", "content": reply}):
        if message not in new:
            new.append(message)
    return new
