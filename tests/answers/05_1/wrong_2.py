# word: three equal logits

probabilities = lambda logits: [abs(each) / max(1e-9, sum(map(abs, logits))) for each in logits]
