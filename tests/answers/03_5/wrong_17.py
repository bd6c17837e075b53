# word: it gave 'yes'

again = lambda what, shown: "yes" if not shown and what != 401 else "no"
