# word: whose JSON is not a list of models it raised KeyError
# Takes every JSON for a list of models.


def usable(base_url, model):
    import json, urllib.request

    try:
        with urllib.request.urlopen(base_url + "/models", timeout=2) as reply:
            return model in [entry["id"] for entry in json.load(reply)["data"]]
    except (OSError, ValueError):
        return False
