# word: message 1 is ('user', 'What is an API?')
# Pairs instead of dictionaries.


def next_messages(history, question, reply):
    return [*history, ("user", question), ("assistant", reply)]
