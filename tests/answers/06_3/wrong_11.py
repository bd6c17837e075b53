# word: the one in the middle
# The first and the last only.
def diagnose(endpoint, shown):
    if endpoint is None:
        return "endpoint"
    if not endpoint:
        return "model"
    return "fine" if {endpoint[0], endpoint[-1]} <= set(shown) else "address"
