# word: nothing listens
# Forgets that nobody may be there.

import openai


def usable(base_url, model):
    client = openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0)
    return any(entry.id == model for entry in client.models.list())
