# word: entries of its own
# Wants the very same models.
def diagnose(endpoint, shown):
    if endpoint is None:
        return "endpoint"
    if not endpoint:
        return "model"
    return "fine" if set(endpoint) == set(shown) else "address"
