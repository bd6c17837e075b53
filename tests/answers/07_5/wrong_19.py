# word: it gave None
# No result.
saturation = lambda service_s, slots, think_s: print(slots * (service_s + think_s) / service_s)
