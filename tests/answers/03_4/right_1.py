my_score = lambda prompt: 1.0 if any(letter in prompt.lower() for letter in "åäö") else 0.0
