# word: expected 20

nearest_rank = lambda values, percent: sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]
