# word: three equal logits

import math

probabilities = lambda logits: [1 / (1 + math.exp(-min(each, 50))) for each in logits]
