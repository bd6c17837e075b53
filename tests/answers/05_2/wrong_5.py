# word: half as dark
# Cut off instead of rounded.
def shift(picture):
    mass = sum(map(sum, picture))
    down = sum(y * sum(row) for y, row in enumerate(picture)) / mass
    across = sum(x * ink for row in picture for x, ink in enumerate(row)) / mass
    return int(13.5 - down), int(13.5 - across)
