# word: it gave 'easy'

my_score = lambda prompt: "easy" if prompt.isascii() else "hard"
