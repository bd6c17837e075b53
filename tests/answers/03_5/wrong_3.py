# word: before any text

again = lambda what, shown: not shown and isinstance(what, int) and what >= 429
