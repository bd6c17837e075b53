# word: not of type int
# Rounded, and still of type float.
def shift(picture):
    mass = sum(map(sum, picture))
    down = sum(y * sum(row) for y, row in enumerate(picture)) / mass
    across = sum(x * ink for row in picture for x, ink in enumerate(row)) / mass
    return round(13.5 - down, 0), round(13.5 - across, 0)
