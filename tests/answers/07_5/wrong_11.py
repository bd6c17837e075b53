# word: who do not think at all
# Nobody who does not think.
saturation = lambda service_s, slots, think_s: slots * (service_s + think_s) / service_s if think_s else 0.0
