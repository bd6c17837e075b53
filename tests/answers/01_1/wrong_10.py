# word: model 2 of the three
# Gives up at the first entry that is another one.

import openai


def usable(base_url, model):
    with openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0) as client:
        try:
            for entry in client.models.list():
                return entry.id == model
            return False
        except openai.APIError:
            return False
