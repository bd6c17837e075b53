# word: who do not think at all
# At least one more than there are slots.
saturation = lambda service_s, slots, think_s: max(slots + 1, slots * (service_s + think_s) / service_s)
