def diagnose(endpoint, shown):
    match endpoint:
        case None:
            return "endpoint"
        case []:
            return "model"
    return "fine" if all(name in shown for name in endpoint) else "address"
