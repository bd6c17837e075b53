# word: one chunk it gave None
# The last chunk is never looked at.


def first_token(request, chunks):
    for number in range(len(chunks) - 1):
        if chunks[number][1]:
            return chunks[number][0] - request
