# word: 'text': 'What is an API?'
# Another key.


def next_messages(history, question, reply):
    return [*history, {"role": "user", "text": question}, {"role": "assistant", "text": reply}]
