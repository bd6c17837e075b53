def visible(messages):
    kept = [pair for pair in messages if pair[0] in ("user", "answer")]
    result = []
    for index, pair in enumerate(kept):
        unanswered = pair[0] == "user" and index + 1 < len(kept) and kept[index + 1][0] == "user"
        if not unanswered:
            result.append(pair)
    return result
