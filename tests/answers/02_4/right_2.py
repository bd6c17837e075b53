from itertools import dropwhile


def first_token(request, chunks):
    rest = list(dropwhile(lambda chunk: not chunk[1], chunks))
    return rest[0][0] - request if rest else None
