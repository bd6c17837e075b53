# word: an even number
# The upper one of the two in the middle.
summary = lambda taken: (taken[0], sorted(taken[1:])[len(taken[1:]) // 2])
