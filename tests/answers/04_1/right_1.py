def visible(messages):
    result = []
    for kind, text in messages:
        if kind == "note":
            continue
        if kind == "user" and result and result[-1][0] == "user":
            result.pop()
        result.append((kind, text))
    return result
