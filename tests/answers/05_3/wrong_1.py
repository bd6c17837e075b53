# word: disturbed

summary = lambda taken: (taken[0], sum(taken[1:]) / len(taken[1:]))
