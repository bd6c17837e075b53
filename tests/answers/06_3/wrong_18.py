# word: what another endpoint has
# Counts, and does not compare.
def diagnose(endpoint, shown):
    if endpoint is None:
        return "endpoint"
    if not endpoint:
        return "model"
    return "fine" if len(endpoint) <= len(shown) else "address"
