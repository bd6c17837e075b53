# word: which belong to the text
# Tidies the texts.


def next_messages(history, question, reply):
    return [*history, {"role": "user", "content": question.strip()}, {"role": "assistant", "content": reply.strip()}]
