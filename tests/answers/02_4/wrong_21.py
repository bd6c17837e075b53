# word: an empty chunk first it gave None
# Prints the time.


def first_token(request, chunks):
    for at, text in chunks:
        if text:
            print(at - request)
            break
