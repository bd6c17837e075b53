# word: changed the picture
def shift(picture):
    mass = sum(map(sum, picture))
    for y, row in enumerate(picture):
        for x in range(28):
            row[x] *= 1 / mass
    down = sum(y * sum(row) for y, row in enumerate(picture))
    return round(13.5 - down), round(13.5 - sum(x * ink for row in picture for x, ink in enumerate(row)))
