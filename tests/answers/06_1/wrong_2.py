# word: capital letter

calls = lambda settings: 4 - sum(value == "false" for value in settings.values())
