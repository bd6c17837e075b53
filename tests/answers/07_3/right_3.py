def action(alive, ready, since):
    # One after the other, each with all that it wants.
    rules = {
        "serve": alive and ready,
        "hold": alive and not ready,
        "wait": not alive and 60 - since > 0,
        "restart": not alive and 60 - since <= 0,
    }
    return next(name for name, holds in rules.items() if holds)
