def reaches(listens, system, by):
    if by == "localhost":
        return False
    return by == "host network" or system in ("macos", "windows") or listens == "0.0.0.0"
