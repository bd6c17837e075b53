# word: it gave -0.1
# A bonus and a penalty, and no look at the ends.

my_score = lambda prompt: (0.0 if prompt.isascii() else 0.8) - (0.1 if "?" in prompt else 0)
