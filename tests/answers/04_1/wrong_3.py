# word: note and no answer
# A note is taken for the answer.


def visible(messages):
    result = []
    for index, message in enumerate(messages):
        after = messages[index + 1][0] if index + 1 < len(messages) else "answer"
        if message[0] == "answer" or (message[0] == "user" and after != "user"):
            result.append(message)
    return result
