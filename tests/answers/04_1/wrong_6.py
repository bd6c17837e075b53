# word: an answer before the first question
# Only pairs of a question and an answer.


def visible(messages):
    kept, result = [pair for pair in messages if pair[0] != "note"], []
    for index, pair in enumerate(kept):
        if pair[0] == "user" and kept[index + 1 : index + 2] and kept[index + 1][0] == "answer":
            result += kept[index : index + 2]
    return result + ([kept[-1]] if kept and kept[-1][0] == "user" else [])
