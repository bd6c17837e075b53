def diagnose(endpoint, shown):
    if endpoint is None:
        return "endpoint"
    if len(endpoint) == 0:
        return "model"
    for name in endpoint:
        if name not in shown:
            return "address"
    return "fine"
