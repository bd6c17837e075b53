# word: it needs
# Words that are long.

my_score = lambda prompt: max(map(len, prompt.split())) / 100
