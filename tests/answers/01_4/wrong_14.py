# word: from 0 messages it made 3
# The history as one element of the new list.


def next_messages(history, question, reply):
    return [history, {"role": "user", "content": question}, {"role": "assistant", "content": reply}]
