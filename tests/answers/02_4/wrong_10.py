# word: empty chunks only it gave 0;
# A 0 where there is none: that would be the best time of all.

first_token = lambda request, chunks: next((at - request for at, text in chunks if text), 0)
