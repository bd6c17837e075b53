# word: the same score
# What was hard in the domains of before.

my_score = lambda prompt: 0.9 if "json" in prompt.lower() or "rewrite" in prompt.lower() else 0.1
