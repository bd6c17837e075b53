# word: wrong path
# Catches only the connection that fails, not the address that is wrong.

import openai


def usable(base_url, model):
    with openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0) as client:
        try:
            return model in {entry.id for entry in client.models.list()}
        except openai.APIConnectionError:
            return False
