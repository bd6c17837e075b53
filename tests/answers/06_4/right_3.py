INTERNAL = {("macos", "127.0.0.1"), ("windows", "127.0.0.1")} | {
    (system, "0.0.0.0") for system in ("linux", "macos", "windows")
}


def reaches(listens, system, by):
    if by == "host network":
        return True
    return by != "localhost" and (system, listens) in INTERNAL
