class Usable:
    def __call__(self, base_url, model):
        import httpx2

        try:
            reply = httpx2.get(f"{base_url}/models", timeout=2)
            reply.raise_for_status()
            return model in map(lambda entry: entry["id"], reply.json()["data"])
        except (httpx2.HTTPError, ValueError, KeyError):
            return False


usable = Usable()
