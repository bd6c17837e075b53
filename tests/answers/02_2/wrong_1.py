# word: expected 20

nearest_rank = lambda values, percent: sum(values) / len(values)
