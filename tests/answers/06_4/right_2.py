def reaches(listens, system, by):
    match (by, system, listens):
        case ("localhost", _, _) | ("host.docker.internal", "linux", "127.0.0.1"):
            return False
    return True
