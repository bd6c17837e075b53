# word: not whole
# Rounded up: the next whole user.
saturation = lambda service_s, slots, think_s: -(-slots * (service_s + think_s) // service_s)
