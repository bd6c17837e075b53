# word: empty chunks only it gave nan;
# Not a number, for none.

first_token = lambda request, chunks: next((at - request for at, text in chunks if text), float("nan"))
