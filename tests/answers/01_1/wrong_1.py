# word: does not list
# Asks, and never compares.

import openai


def usable(base_url, model):
    try:
        openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0).models.list()
        return True
    except openai.APIError:
        return False
