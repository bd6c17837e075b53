"""Which models an endpoint lists, and which of them a name means, for any server with an OpenAI-compatible API."""

from __future__ import annotations

import ipaddress
import json
import re
import threading
import time
from concurrent.futures import Future
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx2

from labkit._smollm.layout import EMBEDDED
from labkit.errors import EndpointError, ModelError
from labkit.settings import PREFERRED, named_network_errors

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

# How long the list of models may take, in all.
SECONDS = 2.0
# Foundry Local's ids end in the kind of build: phi-4-mini-instruct-generic-cpu:5.
_DEVICE = re.compile(r"-(generic|cuda|trtrtx|tensorrt|openvino|qnn|vitis|webgpu|directml)-(cpu|gpu|npu)$")


def is_loopback(base_url: str) -> bool:
    """Whether an address is this machine itself, which a proxy cannot reach for us."""
    host = httpx2.URL(base_url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def shown(base_url: str) -> str:
    """An address for messages: without user name, password, query and fragment, which may be secret."""
    try:
        return str(httpx2.URL(base_url).copy_with(userinfo=b"", query=None, fragment=None))
    except httpx2.InvalidURL:
        return "the address"


def list_models(base_url: str, api_key: str = "not-needed", *, seconds: float = SECONDS) -> tuple[str, ...]:
    """The ids that an endpoint lists (`GET /v1/models`), within about `seconds`.

    Raises EndpointError, SettingsError.
    """
    try:
        status, body = _get(base_url, api_key, seconds)
    except (httpx2.TimeoutException, TimeoutError) as error:
        raise EndpointError(
            f"The endpoint {shown(base_url)} does not answer in time",
            fix="check that it still runs, or start it again (python lab.py serve)",
        ) from error
    except (httpx2.ConnectError, httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise EndpointError(
            f"Nothing listens on {shown(base_url)}",
            fix="python lab.py serve, then use the address that it prints",
        ) from error
    except UnicodeEncodeError as error:
        raise EndpointError(
            f"The key for {shown(base_url)} contains a character that an HTTP header cannot carry",
            fix="set API_KEY again, without typographic marks",
        ) from error
    except httpx2.HTTPError as error:
        raise _no_api(base_url) from error
    if status == 401:
        raise EndpointError(f"The endpoint {shown(base_url)} refuses the key", fix="set API_KEY to the endpoint's key")
    if status != 200:
        raise EndpointError(
            f"The server at {shown(base_url)} answers {status} instead of a list of models",
            fix="check the address and its path; most end in /v1",
        )
    try:
        ids = [model["id"] for model in json.loads(body)["data"]]
    except (ValueError, TypeError, KeyError) as error:
        raise _no_api(base_url) from error
    if not all(isinstance(name, str) for name in ids):
        raise _no_api(base_url)
    return tuple(ids)


@cache
def _certificates(*, trust_env: bool) -> ssl.SSLContext:
    """The TLS context, which httpx2 wants for plain http too; made once, since it reads all root certificates."""
    return httpx2.create_ssl_context(trust_env=trust_env)


def _get(base_url: str, api_key: str, seconds: float) -> tuple[int, bytes]:
    """Status and body of the list, within `seconds` in all, however slowly the server sends."""
    trust_env = not is_loopback(base_url)
    with named_network_errors():
        client = httpx2.Client(
            timeout=httpx2.Timeout(seconds, connect=min(seconds, 0.5)),
            trust_env=trust_env,
            verify=_certificates(trust_env=trust_env),
            follow_redirects=True,
        )
    answer: Future[tuple[int, bytes]] = Future()

    def ask() -> None:
        try:
            answer.set_result(_read(client, base_url, api_key, seconds))
        except Exception as error:
            answer.set_exception(error)

    # httpx2's time-outs are per step: looking up a name has none, headers and redirects have many. So the request runs
    # in a thread of its own, which is left behind when it takes longer.
    threading.Thread(target=ask, daemon=True).start()
    return answer.result(seconds)


def _read(client: httpx2.Client, base_url: str, api_key: str, seconds: float) -> tuple[int, bytes]:
    address = httpx2.URL(base_url)
    place = address.copy_with(path=address.path.rstrip("/") + "/models")
    deadline = time.monotonic() + seconds
    with client, client.stream("GET", place, headers={"Authorization": f"Bearer {api_key}"}) as reply:
        body = b""
        for part in reply.iter_bytes():
            body += part
            if time.monotonic() > deadline:
                raise TimeoutError
        return reply.status_code, body


def _no_api(base_url: str) -> EndpointError:
    return EndpointError(
        f"The server at {shown(base_url)} answers, but not as an OpenAI-compatible API does",
        fix="check the address; something else may use this port",
    )


def resolve(wanted: str | None, listed: Iterable[str], where: str) -> str:
    """The full id for an alias, an id, or an id without its version, among those that an endpoint lists.

    Without `wanted`: phi-4-mini, else the embedded model, else the only one that is listed. The alias of an id is
    the id without its version, its device and "-instruct". Case does not matter. Raises ModelError, which names the
    listed ids.

        resolve("phi-4-mini", ["Phi-4-mini-instruct-generic-cpu:5"], where)  # that id
    """
    ids = sorted(listed, key=_by_name_newest_first)
    names = ", ".join(ids) or "none"
    if wanted is None:
        preferred = [model for alias in (PREFERRED, EMBEDDED.alias) for model in ids if _is(alias, model)]
        if preferred or len(ids) == 1:
            return (preferred or ids)[0]
        if not ids:
            raise ModelError(f"The endpoint {where} lists no model", fix="load a model there, or give another address")
        raise ModelError(
            f"The endpoint {where} lists {len(ids)} models and none was chosen: {names}",
            fix="set MODEL to one of them; where code gives base_url, MODEL is not read: give connect(model=...) too",
        )
    for model in sorted(ids, key=lambda model: model != wanted):
        if wanted.lower() == model.lower() or _is(wanted, model):
            return model
    raise ModelError(
        f"The endpoint {where} has no model {wanted!r} (it lists: {names})",
        fix="choose a model that is listed (MODEL, or connect(model=...)), or load this one there",
    )


def _parts(model: str) -> tuple[str, int]:
    """An id's name in lower case, and its version (0 without one)."""
    name, _, version = model.lower().rpartition(":")
    return (name, int(version)) if name and version.isdigit() else (model.lower(), 0)


def _by_name_newest_first(model: str) -> Any:
    name, version = _parts(model)
    return name, -version


def _is(wanted: str, model: str) -> bool:
    name, _ = _parts(model)
    plain = _DEVICE.sub("", name)
    return wanted.lower() in (name, plain, plain.removesuffix("-instruct"))
