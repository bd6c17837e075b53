def nearest_rank(values, percent):
    place = -(-len(values) * percent // 100)
    ordered = sorted(values)
    if place < 1:
        return ordered[0]
    return ordered[int(place) - 1]
