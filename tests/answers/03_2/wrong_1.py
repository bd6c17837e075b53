# word: no budget

threshold_for = lambda scores, share: sorted(scores, reverse=True)[max(0, int(len(scores) * share) - 1)]
