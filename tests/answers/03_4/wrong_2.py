# word: APGR

my_score = lambda prompt: 0.5
