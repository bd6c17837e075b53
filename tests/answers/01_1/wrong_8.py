# word: lists the model it returned False
# Compares the other way round.

import openai


def usable(base_url, model):
    with openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0) as client:
        try:
            return all(entry.id != model for entry in client.models.list())
        except openai.APIError:
            return False
