# word: has no model
# Compares first, so that an endpoint without models is fine.


def diagnose(endpoint, shown):
    if endpoint is None:
        return "endpoint"
    return "fine" if set(endpoint) <= set(shown) else "address"
