# word: model 1 of the three
# Looks at the last entry alone: each turn of the loop overwrites the result.

import openai


def usable(base_url, model):
    with openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0) as client:
        try:
            found = False
            for entry in client.models.list():
                found = entry.id == model
            return found
        except openai.APIError:
            return False
