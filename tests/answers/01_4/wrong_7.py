# word: a system message alone: the roles are
# Puts the exchange in front.


def next_messages(history, question, reply):
    return [{"role": "user", "content": question}, {"role": "assistant", "content": reply}, *history]
