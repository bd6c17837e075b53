# word: message 2 is {'role': 'assistant', 'content': 'What is an API?'}
# The question twice: copied and not changed.


def next_messages(history, question, reply):
    return [*history, {"role": "user", "content": question}, {"role": "assistant", "content": question}]
