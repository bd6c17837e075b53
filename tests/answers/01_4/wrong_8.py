# word: an empty history: message 1 is
# The texts in each other's place.


def next_messages(history, question, reply):
    return [*history, {"role": "user", "content": reply}, {"role": "assistant", "content": question}]
