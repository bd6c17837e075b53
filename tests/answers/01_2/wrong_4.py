# word: 'phi-3.5-mini'
def full_id(name, listed):
    versions = [int(m.rpartition(":")[2]) for m in listed if m.startswith(name + "-generic-cpu:")]
    if not versions:
        raise LookupError(name)
    return f"{name}-generic-cpu:{max(versions)}"
