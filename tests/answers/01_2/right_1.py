import re


def full_id(name, listed):
    pattern = re.compile(re.escape(name) + r"-[a-z]+-(cpu|gpu|npu):(\d+)")
    found = sorted((int(m[2]), m[0]) for m in map(pattern.fullmatch, listed) if m)
    if not found:
        raise KeyError(name)
    return found[-1][1]
