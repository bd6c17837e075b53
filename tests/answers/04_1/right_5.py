def visible(messages):
    waiting, result = None, []
    for pair in messages:
        if pair[0] == "user":
            waiting = pair
        elif pair[0] == "answer":
            result += [pair] if waiting is None else [waiting, pair]
            waiting = None
    return result if waiting is None else [*result, waiting]
