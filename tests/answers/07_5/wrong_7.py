# word: one slot
# Divided by the thinking.
saturation = lambda service_s, slots, think_s: slots * (service_s + think_s) / max(think_s, 1)
