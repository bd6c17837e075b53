def visible(messages):
    # From the end: what comes after is then known already.
    result, after = [], "answer"
    for kind, text in reversed(messages):
        if kind == "note":
            continue
        if kind == "answer" or after == "answer":
            result.insert(0, (kind, text))
        after = kind
    return result
