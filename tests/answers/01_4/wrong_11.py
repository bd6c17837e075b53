# word: the roles are ['human', 'bot']
# Role names from another library.


def next_messages(history, question, reply):
    return [*history, {"role": "human", "content": question}, {"role": "bot", "content": reply}]
