# word: the first one is missing
# Compares the last model only.
def diagnose(endpoint, shown):
    if not endpoint:
        return "endpoint" if endpoint is None else "model"
    return "fine" if endpoint[-1] in shown else "address"
