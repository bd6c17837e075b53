# word: half as dark
# The middle of the box, whatever its ink weighs.


def shift(picture):
    ys = [y for y, row in enumerate(picture) if any(row)]
    xs = [x for row in picture for x, ink in enumerate(row) if ink]
    return round(13.5 - (min(ys) + max(ys)) / 2), round(13.5 - (min(xs) + max(xs)) / 2)
