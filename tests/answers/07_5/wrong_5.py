# word: not whole
saturation = lambda service_s, slots, think_s: round(slots * (service_s + think_s) / service_s)
