# word: returned None

probabilities = lambda logits: None
