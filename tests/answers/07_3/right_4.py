def action(alive, ready, since):
    if alive and ready:
        return "serve"
    if alive:
        return "hold"
    if not since < 60:
        return "restart"
    return "wait"
