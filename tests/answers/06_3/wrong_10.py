# word: must be asking somewhere else
# The comparison turned round.
def diagnose(endpoint, shown):
    if endpoint is None:
        return "endpoint"
    if not endpoint:
        return "model"
    return "fine" if set(shown) <= set(endpoint) else "address"
