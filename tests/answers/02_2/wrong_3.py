# word: expected 20

nearest_rank = lambda values, percent: max(values)
