# word: lists no model at all it raised IndexError
# Takes for granted that something is listed.

import openai


def usable(base_url, model):
    with openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0) as client:
        try:
            ids = [entry.id for entry in client.models.list()]
            return ids[0] == model or model in ids[1:]
        except openai.APIError:
            return False
