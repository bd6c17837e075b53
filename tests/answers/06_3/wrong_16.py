# word: gave None
# Says nothing where nothing is wrong.
def diagnose(endpoint, shown):
    if endpoint is None:
        return "endpoint"
    if not endpoint:
        return "model"
    if set(endpoint) - set(shown):
        return "address"
