# word: changed a list
def diagnose(endpoint, shown):
    if not endpoint:
        return "endpoint" if endpoint is None else "model"
    for name in list(endpoint):
        if name in shown:
            endpoint.remove(name)
    return "address" if endpoint else "fine"
