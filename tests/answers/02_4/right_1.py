def first_token(request, chunks):
    for at, text in chunks:
        if len(text) > 0:
            return at - request
    return None
