"""Which models an endpoint lists, and which of them a name means. Only what the OpenAI API promises is assumed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx2
import openai

from labkit import embedded
from labkit.errors import EndpointError, ModelError
from labkit.settings import PREFERRED

if TYPE_CHECKING:
    from collections.abc import Iterable

_PROBE = openai.Timeout(2, connect=0.5)
# Foundry Local's ids end in the kind of build: phi-4-mini-instruct-generic-cpu:5.
_DEVICE = re.compile(r"-(generic|cuda|trtrtx|tensorrt|openvino|qnn|vitis|webgpu|directml)-(cpu|gpu|npu)$")


def list_models(base_url: str, api_key: str = "not-needed") -> tuple[str, ...]:
    """The ids that an endpoint lists. Raises EndpointError; takes at most about two seconds."""
    with openai.OpenAI(base_url=base_url, api_key=api_key, timeout=_PROBE, max_retries=0) as client:
        try:
            return tuple(model.id for model in client.models.list())
        except openai.APITimeoutError as error:
            raise EndpointError(
                f"{base_url} does not answer in time",
                cure="see whether it still runs and start it again (python lab.py serve)",
            ) from error
        except openai.APIConnectionError as error:
            if not isinstance(error.__cause__, httpx2.ConnectError):
                raise _no_api(base_url) from error
            raise EndpointError(
                f"nothing listens on {base_url}",
                cure="python lab.py serve, then use the address that it prints",
            ) from error
        except openai.AuthenticationError as error:
            raise EndpointError(f"{base_url} refuses the key", cure="set API_KEY to the endpoint's key") from error
        except openai.APIStatusError as error:
            raise EndpointError(
                f"{base_url} answers {error.status_code} where an OpenAI-compatible API lists its models",
                cure="check the address and its path; most end in /v1",
            ) from error
        except (openai.APIError, ValueError, TypeError, AttributeError) as error:
            raise _no_api(base_url) from error


def _no_api(base_url: str) -> EndpointError:
    return EndpointError(
        f"{base_url} answers, but not as an OpenAI-compatible API does",
        cure="check the address; something else may use this port",
    )


def resolve(wanted: str | None, listed: Iterable[str], where: str) -> str:
    """The full id for an alias, an id, or an id without its version, among those that an endpoint lists.

    With nothing wanted: phi-4-mini, else the embedded model, else the only one that is listed.
    An id counts as its alias when what is left without version, device and "-instruct" is the alias.
    Raises ModelError that names what is listed.
    """
    ids = sorted(listed, key=lambda model: (_parts(model)[0], -_parts(model)[1]))
    if wanted is None:
        preferred = [model for alias in (PREFERRED, embedded.ALIAS) for model in ids if _is(alias, model)]
        if preferred or len(ids) == 1:
            return (preferred or ids)[0]
        raise ModelError(
            f"{where} lists {len(ids)} models and MODEL is not set: {', '.join(ids)}",
            cure="set MODEL to one of them",
        )
    if wanted in ids:
        return wanted
    for model in ids:
        if _is(wanted, model):
            return model
    raise ModelError(
        f"{where} has no model {wanted!r} (it lists: {', '.join(ids) or 'none'})",
        cure="set MODEL to one that is listed, or load the model there",
    )


def _parts(model: str) -> tuple[str, int]:
    """An id's name in lower case, and its version (0 without one)."""
    name, _, version = model.lower().rpartition(":")
    return (name, int(version)) if name and version.isdigit() else (model.lower(), 0)


def _is(wanted: str, model: str) -> bool:
    name, _ = _parts(model)
    plain = _DEVICE.sub("", name)
    return wanted.lower() in (name, plain, plain.removesuffix("-instruct"))
