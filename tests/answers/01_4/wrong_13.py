# word: an empty history: from 0 messages it made 1
# One message that holds both texts.


def next_messages(history, question, reply):
    return [*history, {"role": "user", "content": question + "\n" + reply}]
