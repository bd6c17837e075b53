def usable(base_url, model):
    import json, urllib.request

    try:
        with urllib.request.urlopen(base_url + "/models", timeout=2) as reply:
            return model in [entry["id"] for entry in json.load(reply)["data"]]
    except (OSError, ValueError, KeyError):
        return False
