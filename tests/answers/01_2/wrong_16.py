# word: mistral-7b-openvino-npu:3
# Prefers a graphics card to a higher version.


def full_id(name, listed):
    found = [m for m in listed if m.rpartition(":")[0].rsplit("-", 2)[0] == name]
    if not found:
        raise LookupError(name)
    return max(found, key=lambda m: ("gpu" in m, int(m.rpartition(":")[2])))
