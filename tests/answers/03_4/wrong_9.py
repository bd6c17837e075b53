# word: needs the same score
# Dice.
import random

my_score = lambda prompt: random.random()
