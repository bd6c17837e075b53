# word: returned None
# Prints what it should return.

import openai


def usable(base_url, model):
    with openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0) as client:
        try:
            print(model in [entry.id for entry in client.models.list()])
        except openai.APIError:
            return False
