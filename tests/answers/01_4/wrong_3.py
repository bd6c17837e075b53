# word: the roles
# Swaps the roles.


def next_messages(history, question, reply):
    return [*history, {"role": "assistant", "content": question}, {"role": "user", "content": reply}]
