# word: one slot
# One user more.
saturation = lambda service_s, slots, think_s: slots * (service_s + think_s) / service_s + 1
