# word: entry of Open WebUI's own
# Without models only where nothing is shown either.
def diagnose(endpoint, shown):
    if endpoint is None:
        return "endpoint"
    if not endpoint and not shown:
        return "model"
    return "fine" if set(endpoint) <= set(shown) else "address"
