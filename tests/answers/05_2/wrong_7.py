# word: lower right corner
# Rounds as if no number were negative.
def shift(picture):
    mass = sum(map(sum, picture))
    down = sum(y * sum(row) for y, row in enumerate(picture)) / mass
    across = sum(x * ink for row in picture for x, ink in enumerate(row)) / mass
    return int(14 - down), int(14 - across)
