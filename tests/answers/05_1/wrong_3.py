# word: OverflowError

import math

probabilities = lambda logits: [math.exp(e) / sum(map(math.exp, logits)) for e in logits]
