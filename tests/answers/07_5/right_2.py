def saturation(service_s, slots, think_s):
    # The part of the time for which one user holds a slot.
    busy = service_s / (service_s + think_s)
    return slots / busy
