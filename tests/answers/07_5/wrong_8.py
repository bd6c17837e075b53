# word: one slot
# The wrong way up.
saturation = lambda service_s, slots, think_s: service_s / (slots * (service_s + think_s))
