# word: to the right of it it gave (2, 7)
# The mean of the middles of the rows, as if each row had the same ink.
def shift(picture):
    mass = sum(map(sum, picture))
    down = sum(y * sum(row) for y, row in enumerate(picture)) / mass
    middles = [sum(x * ink for x, ink in enumerate(row)) / sum(row) for row in picture if any(row)]
    return round(13.5 - down), round(13.5 - sum(middles) / len(middles))
