# word: too many requests just now
# Every 4xx is the student's own fault.

again = lambda what, shown: not shown and (str(what)[0] == "5" or what in ("dropped", "no connection"))
