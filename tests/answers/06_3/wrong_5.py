# word: one is missing
# Compares the first model only.
def diagnose(endpoint, shown):
    if not endpoint:
        return "endpoint" if endpoint is None else "model"
    return "fine" if endpoint[0] in shown else "address"
