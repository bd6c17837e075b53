# word: APGR
# The wrong way round.

my_score = lambda prompt: 0.1 if any(letter in prompt.lower() for letter in "åäö") else 0.9
