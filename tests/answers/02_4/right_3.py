def first_token(request, chunks):
    times = [at for at, text in chunks if text != ""]
    if not times:
        return None
    return min(times) - request
