# word: upper left corner
# The middle is not at 14.
def shift(picture):
    mass = sum(map(sum, picture))
    down = sum(y * sum(row) for y, row in enumerate(picture)) / mass
    across = sum(x * ink for row in picture for x, ink in enumerate(row)) / mass
    return round(14 - down), round(14 - across)
