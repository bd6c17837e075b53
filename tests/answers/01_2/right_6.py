def full_id(name, listed):
    from fnmatch import fnmatchcase

    fitting = {
        int(m.partition(":")[2]): m
        for m in listed
        if fnmatchcase(m, f"{name}-*") and m.count("-") == name.count("-") + 2
    }
    try:
        return fitting[max(fitting)]
    except ValueError:
        raise LookupError(name) from None
