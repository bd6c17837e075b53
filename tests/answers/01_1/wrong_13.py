# word: one more digit
# Asks whether a listed id is in the model, not whether the model is listed.

import openai


def usable(base_url, model):
    with openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0) as client:
        try:
            return any(entry.id in model for entry in client.models.list())
        except openai.APIError:
            return False
