# word: returned None
# append returns nothing, and so does this.


def next_messages(history, question, reply):
    return history.copy().extend([{"role": "user", "content": question}, {"role": "assistant", "content": reply}])
