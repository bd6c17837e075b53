# word: an empty history: message 1 is
# Hard-wires the example.


def next_messages(history, question, reply):
    return [*history, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
