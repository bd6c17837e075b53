# word: With pale ink it
# Looks for ink with another darkness than it has.
def shift(picture):
    ink = [(y, x, dark) for y, row in enumerate(picture) for x, dark in enumerate(row) if dark >= 0.25]
    mass = sum(dark for _, _, dark in ink) or 1
    down, across = (sum(each[way] * each[2] for each in ink) / mass for way in (0, 1))
    return round(13.5 - down), round(13.5 - across)
