# word: generate
# The seed's health check: it generates.

import openai


def usable(base_url, model):
    client = openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0)
    try:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "x"}], max_tokens=1)
        return True
    except openai.APIError:
        return False
