# word: the beginning of a listed id
import openai


def usable(base_url, model):
    client = openai.OpenAI(base_url=base_url, api_key="x", timeout=2, max_retries=0)
    try:
        return model in str(client.models.list())
    except openai.APIError:
        return False
