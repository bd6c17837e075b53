# word: it gave '5.0'
# A text.
saturation = lambda service_s, slots, think_s: str(slots * (service_s + think_s) / service_s)
