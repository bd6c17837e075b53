def next_messages(history, question, reply):
    copy = list(history)
    copy.append(dict(role="user", content=question))
    copy.append(dict(role="assistant", content=reply))
    return copy
