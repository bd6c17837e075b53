# word: half as dark
# Each point counts the same.
def shift(picture):
    points = [(y, x) for y, row in enumerate(picture) for x, ink in enumerate(row) if ink]
    down, across = (sum(each) / len(points) for each in zip(*points))
    return round(13.5 - down), round(13.5 - across)
