# word: the same score
# Capital letters, looked for in a text without any.

my_score = lambda prompt: 0.9 if any(word in prompt.lower() for word in ("Vad ", "Hur ", "Vilken ")) else 0.2
