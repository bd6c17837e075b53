diagnose = lambda endpoint, shown: (
    "endpoint" if endpoint is None else "model" if not endpoint else "address" if set(endpoint) - set(shown) else "fine"
)
