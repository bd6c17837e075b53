# word: a web page that answers every request with status 200 it raised AttributeError
# Catches what a request can raise, and not what a web page leads to.

import openai


def usable(base_url, model):
    with openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0) as client:
        try:
            return any(entry.id == model for entry in client.models.list())
        except openai.APIError:
            return False
