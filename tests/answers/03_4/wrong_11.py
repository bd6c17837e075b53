# word: worse than chance
# Swedish is easy for a Swede.

my_score = lambda prompt: 0.3 if prompt.lower().startswith(("vad", "hur", "vilke", "svara", "vem")) else 0.6
