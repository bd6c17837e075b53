# word: each user needs

saturation = lambda service_s, slots, think_s: slots / service_s
