# word: APGR

my_score = lambda prompt: len(prompt.split()) / (100 + len(prompt.split()))
