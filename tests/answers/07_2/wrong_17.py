# word: changed the list of buckets
def quantile(buckets, share):
    _, total = buckets.pop()
    rank, low, before = share * total, 0.0, 0.0
    for high, count in buckets:
        if count >= rank and count > before:
            return low + (high - low) * (rank - before) / (count - before)
        low, before = high, count
    return low if total else None
