# word: a system message alone
# Takes the first message off, which it thinks is the last question.


def next_messages(history, question, reply):
    return [*history[1:], {"role": "user", "content": question}, {"role": "assistant", "content": reply}]
