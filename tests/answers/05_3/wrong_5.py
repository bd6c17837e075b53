# word: expected two numbers

summary = lambda taken: sorted(taken)[len(taken) // 2]
