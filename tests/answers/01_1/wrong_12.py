# word: the end of a listed id
# The end is enough for it.

import openai


def usable(base_url, model):
    with openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0) as client:
        try:
            return any(entry.id.endswith(model) for entry in client.models.list())
        except openai.APIError:
            return False
