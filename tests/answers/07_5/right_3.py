def saturation(service_s, slots, think_s):
    per_slot = 1 + think_s / service_s
    users = 0.0
    for _ in range(slots):
        users += per_slot
    return users
