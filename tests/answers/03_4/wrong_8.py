# word: it needs
# Counts digits only: sums are hard, and nothing else is.

my_score = lambda prompt: min(1, sum(sign.isdigit() for sign in prompt) / 10)
