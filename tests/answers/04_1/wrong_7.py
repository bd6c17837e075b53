# word: in two parts
# The second part of an answer is lost.


def visible(messages):
    result = []
    for pair in messages:
        if pair[0] == "note" or (pair[0] == "answer" and result and result[-1][0] == "answer"):
            continue
        if pair[0] == "user" and result and result[-1][0] == "user":
            result.pop()
        result.append(pair)
    return result
