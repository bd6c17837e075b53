"""Solutions of notebook 01. Try the exercise and both hints first."""

from typing import Any

import openai


# %% 01.1
def usable(base_url: str, model: str) -> bool:
    """Whether the endpoint answers and lists the model."""
    with openai.OpenAI(base_url=base_url, api_key="not-needed", timeout=2, max_retries=0) as client:
        try:
            return any(entry.id == model for entry in client.models.list())
        except (openai.APIError, AttributeError):  # AttributeError: a web page instead of a list
            return False


# %% 01.2
def full_id(name: str, listed: list[str]) -> str:
    """The listed id of a model, in its highest version."""
    versions = {}
    for model in listed:
        build, _, version = model.rpartition(":")
        if build.rsplit("-", 2)[0] == name:
            versions[int(version)] = model
    if not versions:
        raise LookupError(name)
    return versions[max(versions)]


# %% 01.3
def is_whole(answer: Any) -> bool:
    """Whether the model ended the answer by itself."""
    return bool(answer.choices[0].finish_reason == "stop")


# %% 01.4
def next_messages(history: list[dict[str, str]], question: str, reply: str) -> list[dict[str, str]]:
    """The history with one exchange more."""
    return [*history, {"role": "user", "content": question}, {"role": "assistant", "content": reply}]
