# Each probability from its differences to all others; a difference that no float can hold makes it 0.
import math

probabilities = lambda logits: [
    0.0 if max(logits) - each > 700 else 1 / sum(math.exp(other - each) for other in logits) for each in logits
]
