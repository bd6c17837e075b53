# word: expected 0.35
# Counts taken for those of each bucket.


def quantile(buckets, share):
    total, seen = sum(count for _, count in buckets), 0
    for bound, count in buckets:
        seen += count
        if total and seen >= share * total:
            return bound
