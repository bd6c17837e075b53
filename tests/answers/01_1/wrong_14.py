# word: returned ['mock-model-generic-cpu:1']
# The ids instead of an answer to the question.

import openai


def usable(base_url, model):
    with openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0) as client:
        try:
            return [entry.id for entry in client.models.list() if entry.id == model]
        except openai.APIError:
            return False
