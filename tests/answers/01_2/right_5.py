# A dictionary of all names; one that is missing raises KeyError.
from collections import defaultdict


def full_id(name, listed):
    builds = defaultdict(list)
    for model in listed:
        build, version = model.split(":")
        builds[build.rsplit("-", maxsplit=2)[0]].append((int(version), model))
    return max(dict(builds)[name])[1]
