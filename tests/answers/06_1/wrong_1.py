# word: nothing set

calls = lambda settings: 1
