# word: a part of another
# Looks for a piece of text.
def diagnose(endpoint, shown):
    if endpoint is None:
        return "endpoint"
    if not endpoint:
        return "model"
    return "fine" if all(name in " ".join(shown) for name in endpoint) else "address"
