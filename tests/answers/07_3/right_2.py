def action(alive, ready, since):
    match (alive, ready):
        case (True, True):
            return "serve"
        case (True, False):
            return "hold"
    return "restart" if since >= 60 else "wait"
