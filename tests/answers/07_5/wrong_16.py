# word: short answers
# The five seconds of the example.
saturation = lambda service_s, slots, think_s: slots * (5 + think_s) / 5
