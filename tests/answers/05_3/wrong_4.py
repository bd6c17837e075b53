# word: not in order

summary = lambda taken: (taken[0], taken[1:][len(taken[1:]) // 2])
