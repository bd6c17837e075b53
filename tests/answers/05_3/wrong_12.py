# word: two runs that were disturbed
# A mean without the best and the worst is no median.
def summary(taken):
    others = sorted(taken[1:])
    kept = others[1:-1] if len(others) > 2 else others
    return taken[0], sum(kept) / len(kept)
