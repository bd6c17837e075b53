# word: two slots
# Shares the slots out.
saturation = lambda service_s, slots, think_s: (service_s + think_s) / service_s / slots
