def usable(base_url, model):
    from labkit import LabError
    from labkit.listing import list_models

    try:
        return model in list_models(base_url)
    except LabError:
        return False
