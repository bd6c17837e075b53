from collections import Counter


def diagnose(endpoint, shown):
    try:
        missing = Counter(endpoint) - Counter(shown)
        first = endpoint[0]
    except TypeError:
        return "endpoint"
    except IndexError:
        return "model"
    return "address" if missing or first not in shown else "fine"
