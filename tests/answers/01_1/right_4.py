# Asks for the one model instead of the list.

import openai


def usable(base_url, model):
    with openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0) as client:
        try:
            return client.models.retrieve(model).id == model
        except (openai.NotFoundError, openai.APIConnectionError, AttributeError):
            return False
