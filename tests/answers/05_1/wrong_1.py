# word: ZeroDivisionError

probabilities = lambda logits: [each / sum(logits) for each in logits]
