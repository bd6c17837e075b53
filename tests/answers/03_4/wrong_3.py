# word: from 0 to 1

my_score = lambda prompt: len(prompt)
