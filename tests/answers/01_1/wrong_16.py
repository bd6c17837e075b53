# word: nothing listens it returned None
# Forgets to return after the exception.

import openai


def usable(base_url, model):
    with openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0) as client:
        try:
            return model in {entry.id for entry in client.models.list()}
        except openai.APIError:
            print("nobody there")
