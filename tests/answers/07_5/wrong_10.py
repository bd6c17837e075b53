# word: many digits
# Two digits after the point.
saturation = lambda service_s, slots, think_s: round(slots * (service_s + think_s) / service_s, 2)
