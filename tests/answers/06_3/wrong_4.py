# word: another order
# Takes an order for a difference.


def diagnose(endpoint, shown):
    if not endpoint:
        return "endpoint" if endpoint is None else "model"
    return "fine" if shown[: len(endpoint)] == endpoint else "address"
