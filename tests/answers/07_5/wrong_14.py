# word: one slot
# Takes the answer off the thinking.
saturation = lambda service_s, slots, think_s: slots * (think_s - service_s) / service_s
