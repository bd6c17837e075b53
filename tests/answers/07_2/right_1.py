def quantile(buckets, share):
    total = buckets[-1][1]
    if total == 0:
        return None
    rank = share * total
    index = next(i for i, (_, count) in enumerate(buckets) if count >= rank)
    low, before = buckets[index - 1] if index else (0.0, 0.0)
    high, count = buckets[index]
    if high == float("inf"):
        return low
    return low + (high - low) * (rank - before) / (count - before)
