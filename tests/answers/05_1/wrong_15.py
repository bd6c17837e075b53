# word: three equal logits
# Not divided by the sum.
import math

probabilities = lambda logits: [math.exp(each - max(logits)) for each in logits]
