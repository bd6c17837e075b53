def shift(picture):
    mass = down = across = 0.0
    for y in range(28):
        for x in range(28):
            mass += picture[y][x]
            down += picture[y][x] * (13.5 - y)
            across += picture[y][x] * (13.5 - x)
    return round(down / mass), round(across / mass)
