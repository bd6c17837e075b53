# word: to the right of it
# The box for the columns.
def shift(picture):
    down = sum(y * sum(row) for y, row in enumerate(picture)) / sum(map(sum, picture))
    xs = [x for row in picture for x, ink in enumerate(row) if ink]
    return round(13.5 - down), round(13.5 - (min(xs) + max(xs)) / 2)
