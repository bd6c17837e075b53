# word: changed the list
# Returns a new list, and changes the old one as well.


def next_messages(history, question, reply):
    history.append({"role": "user", "content": question})
    return [*history, {"role": "assistant", "content": reply}]
