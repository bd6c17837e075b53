import openai


def usable(base_url, model):
    found = False
    client = openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0)
    try:
        for entry in client.models.list().data:
            if entry.id == model:
                found = True
                break
    except Exception:
        found = False
    finally:
        client.close()
    return found
