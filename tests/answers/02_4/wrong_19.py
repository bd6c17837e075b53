# word: two empty chunks first
# Passes over one empty chunk, and no more.


def first_token(request, chunks):
    if chunks and not chunks[0][1]:
        chunks = chunks[1:]
    if not chunks or not chunks[0][1]:
        return None
    return chunks[0][0] - request
