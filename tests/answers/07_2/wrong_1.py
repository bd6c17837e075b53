# word: expected 0.35
# The upper bound of the bucket.


def quantile(buckets, share):
    rank = share * buckets[-1][1]
    return next(bound for bound, count in buckets if count >= rank)
