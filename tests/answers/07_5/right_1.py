saturation = lambda service_s, slots, think_s: slots * (1 + think_s / service_s)
