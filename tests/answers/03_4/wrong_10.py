# word: it gave 20
# In per cent.

my_score = lambda prompt: 20 if prompt.isascii() else 90
