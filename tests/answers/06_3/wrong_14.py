# word: from elsewhere
# Looks at what is shown first.
def diagnose(endpoint, shown):
    if endpoint is None:
        return "address" if shown else "endpoint"
    if not endpoint:
        return "model"
    return "fine" if set(endpoint) <= set(shown) else "address"
