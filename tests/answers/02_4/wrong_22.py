# word: text at once it gave None
# Takes a request at 0 for no request.


def first_token(request, chunks):
    if not request:
        return None
    return next((at - request for at, text in chunks if text), None)
