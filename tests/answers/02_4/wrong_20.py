# word: an empty chunk first it gave None
# The else belongs to the if instead of the loop.


def first_token(request, chunks):
    for at, text in chunks:
        if text:
            return at - request
        else:
            return None
