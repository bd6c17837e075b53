my_score = lambda prompt: not {"what", "how", "which", "the", "of", "a", "by"} & set(prompt.lower().split())
