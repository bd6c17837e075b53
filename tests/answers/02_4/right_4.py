def first_token(request, chunks):
    try:
        at, _ = next(filter(lambda chunk: chunk[1], chunks))
    except StopIteration:
        return None
    return at - request
