# word: two slots

saturation = lambda service_s, slots, think_s: (service_s + think_s) / service_s
