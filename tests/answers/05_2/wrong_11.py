# word: (13, 0)
# The rows only.
def shift(picture):
    return round(13.5 - sum(y * sum(row) for y, row in enumerate(picture)) / sum(map(sum, picture))), 0
