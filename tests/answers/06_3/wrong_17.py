# word: begin with the endpoint
# The two words exchanged.
def diagnose(endpoint, shown):
    if not endpoint:
        return "model" if endpoint is None else "endpoint"
    return "fine" if set(endpoint) <= set(shown) else "address"
