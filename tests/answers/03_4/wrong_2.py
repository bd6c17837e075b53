# word: the same score

my_score = lambda prompt: 0.5
