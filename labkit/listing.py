"""Which models an endpoint lists, and which of them a name means, for any server with an OpenAI-compatible API."""

from __future__ import annotations

import difflib
import fnmatch
import ipaddress
import json
import os
import re
import socket
import ssl
import threading
import time
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import psutil

from labkit._smollm.layout import EMBEDDED
from labkit.errors import EndpointError, LabError, ListError, LoadingError, ModelError
from labkit.settings import PREFERRED, named_network_errors
from labkit.words import is_loading, words

if TYPE_CHECKING:
    from collections.abc import Iterable

# How long the list of models may take, in all.
SECONDS = 2.0
PROXY_FIX = "check HTTPS_PROXY or HTTP_PROXY, with its user name and password"
# Names in a message.
NAMES = 10
# Foundry Local's ids end in the kind of build: phi-4-mini-instruct-generic-cpu:5.
_DEVICE = re.compile(r"-(generic|cuda|trtrtx|tensorrt|openvino|qnn|vitis|webgpu|directml)-(cpu|gpu|npu)$")


def is_loopback(base_url: str) -> bool:
    """Whether an address is this machine itself, which a proxy cannot reach for us."""
    host = httpx2.URL(base_url).host.rstrip(".")
    if host == "localhost":
        return True
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        try:
            number = ipaddress.IPv4Address(socket.inet_aton(host))  # short forms, such as 127.1
        except OSError:
            return False
    number = getattr(number, "ipv4_mapped", None) or number
    return number.is_loopback or number.is_unspecified


def is_here(base_url: str) -> bool:
    """The same, also of a text that is not an address."""
    try:
        return is_loopback(base_url)
    except httpx2.InvalidURL:
        return False


def shown(base_url: str) -> str:
    """An address for messages: without user name, password, query and fragment, which may be secret."""
    try:
        return str(httpx2.URL(base_url).copy_with(userinfo=b"", query=None, fragment=None))
    except httpx2.InvalidURL:
        return "the address"


def list_models(base_url: str, api_key: str = "not-needed", *, seconds: float = SECONDS) -> tuple[str, ...]:
    """The ids that an endpoint lists (`GET /v1/models`), within about `seconds`.

    Raises EndpointError where nothing answers or the key is refused, ListError for every other answer that is no
    list, LoadingError while a model is being loaded, SettingsError.
    """
    try:
        status, body = _get(base_url, "/models", api_key, seconds)
    except (httpx2.TimeoutException, TimeoutError) as error:
        raise ListError(
            f"The endpoint {shown(base_url)} does not answer in time",
            fix=_ours(
                base_url,
                "check that it still runs, or start it again (python lab.py serve)",
                "check that it still runs",
            ),
        ) from error
    except (httpx2.ConnectError, httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        if wrong := certificate(error):
            raise EndpointError(
                f"The certificate of {shown(base_url)} is not trusted ({wrong})",
                fix=certificate_fix(wrong),
            ) from error
        if "[SSL" in str(error):
            raise EndpointError(
                f"The server at {shown(base_url)} does not speak https as this machine does",
                fix="check the port, and whether the address begins with http: there",
            ) from error
        raise EndpointError(
            f"Nothing listens on {shown(base_url)}",
            fix=_ours(
                base_url,
                "python lab.py serve, then use the address that it prints",
                "check the address, and that this machine reaches it (and its proxy, where one is set)",
            ),
        ) from error
    except httpx2.ProxyError as error:
        raise EndpointError(
            f"The proxy before {shown(base_url)} refuses ({words(str(error))})", fix=PROXY_FIX
        ) from error
    except UnicodeEncodeError as error:
        raise EndpointError(
            f"The key for {shown(base_url)} contains a character that an HTTP header cannot carry",
            fix="set API_KEY again, without typographic marks",
        ) from error
    except httpx2.HTTPError as error:
        raise _no_api(base_url) from error
    if 200 <= status < 300:
        try:
            return _ids(json.loads(body))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise _no_api(base_url) from error
    said = words(body.decode(errors="replace"), api_key)
    said = f" ({said})" if said else ""
    if status == 401:
        raise EndpointError(
            f"The endpoint {shown(base_url)} refuses the key{said}", fix="set API_KEY to the endpoint's key"
        )
    if status == 503 and is_loading(body.decode(errors="replace")):
        raise LoadingError(
            f"The endpoint {shown(base_url)} is still loading its model", fix="wait a little and connect() again"
        )
    raise ListError(
        f"The server at {shown(base_url)} answers {status} instead of a list of models{said}",
        fix="check the address and its path (most end in /v1); with BASE_URL and MODEL set no list is needed",
    )


def _ours(base_url: str, here: str, far: str) -> str:
    """The fix for an address of this machine, or for one elsewhere."""
    return here if is_here(base_url) else far


def _ids(body: Any) -> tuple[str, ...]:
    """The ids in a list of models: OpenAI's `{"data": [{"id": ...}]}`, a bare list, Ollama's `{"models": ...}`."""
    if isinstance(body, dict):
        if not {"data", "models"} & set(body):
            raise KeyError("data")
        body = body.get("data") or body.get("models") or []
    if not isinstance(body, list):
        raise TypeError("the models are in a list")
    named = [model if isinstance(model, str) else _first(model, "id", "name", "model") for model in body]
    found = tuple(name for name in named if isinstance(name, str) and name)
    if body and not found:
        raise TypeError("an id is a text")
    return found


def _first(model: Any, *names: str) -> Any:
    return next((model[name] for name in names if name in model), None) if isinstance(model, dict) else None


def certificate(error: BaseException | None) -> str:
    """What is wrong with a certificate, where that is the cause of an error; otherwise nothing."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) and error.verify_message:
            return error.verify_message.rstrip(".")
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            told = re.search(r"verify failed: (.+?)\.? \(_ssl", str(error))
            return told[1] if told else "it cannot be verified"
        error = error.__cause__ or error.__context__
    return ""


def certificate_fix(wrong: str) -> str:
    """What helps where this is wrong with a certificate."""
    if "mismatch" in wrong:
        return "use the name in the address for which the certificate was made"
    if "expired" in wrong or "not yet valid" in wrong:
        return "let the certificate be renewed, and check the clock of this machine"
    return "set SSL_CERT_FILE to a file with the certificate of its issuer (PEM), then connect() again"


def transport(base_url: str) -> dict[str, Any]:
    """Arguments of an HTTP client for an address: on loopback no proxy, but the certificates of SSL_CERT_FILE.

    Raises SettingsError where those cannot be read.
    """
    loopback = is_loopback(base_url)
    names = () if loopback and base_url.startswith("http:") else ("SSL_CERT_FILE", "SSL_CERT_DIR")
    return {"trust_env": not loopback, "verify": _certificates(*(_file(os.environ.get(name, "")) for name in names))}


def _file(name: str) -> tuple[str, float]:
    """A file's name and the time of its last change."""
    try:
        return name, Path(name).stat().st_mtime
    except OSError:
        return name, 0.0


@cache
def _certificates(*variables: tuple[str, float]) -> ssl.SSLContext:
    """The TLS context, which httpx2 wants for plain http too; kept, since it reads all root certificates."""
    with named_network_errors():
        return httpx2.create_ssl_context(trust_env=bool(variables))


def _get(base_url: str, path: str, api_key: str, seconds: float) -> tuple[int, bytes]:
    """Status and body of a page, within `seconds` in all, however slowly the server sends."""
    options = transport(base_url)
    with named_network_errors():
        client = httpx2.Client(
            timeout=httpx2.Timeout(seconds, connect=min(seconds, 0.5)), follow_redirects=True, **options
        )
    answer: Future[tuple[int, bytes]] = Future()

    def ask() -> None:
        try:
            answer.set_result(_read(client, base_url, path, api_key, seconds))
        except Exception as error:
            answer.set_exception(error)

    # httpx2's time-outs are per step: looking up a name has none, headers and redirects have many. So the request runs
    # in a thread of its own, which is left behind when it takes longer.
    threading.Thread(target=ask, daemon=True).start()
    return answer.result(seconds)


def _read(client: httpx2.Client, base_url: str, path: str, api_key: str, seconds: float) -> tuple[int, bytes]:
    address = httpx2.URL(base_url)
    place = address.copy_with(path=address.path.rstrip("/") + path)
    deadline = time.monotonic() + seconds
    with client, client.stream("GET", place, headers={"Authorization": f"Bearer {api_key}"}) as reply:
        body = b""
        for part in reply.iter_bytes():
            body += part
            if time.monotonic() > deadline:
                raise TimeoutError
        return reply.status_code, body


def is_foundry_here(base_url: str) -> bool:
    """Whether Foundry Local on this machine serves this address: a process of this machine that `/status` names.

    A proxy, a tunnel or a container in front of another endpoint is none, though it listens on loopback too.
    """
    address = httpx2.URL(base_url)
    if not is_loopback(base_url):
        return False
    try:
        _, body = _get(str(address.copy_with(path="", query=None)), "/status", "not-needed", SECONDS)
        links = psutil.Process(json.loads(body)["pid"]).net_connections("tcp")
    except (httpx2.HTTPError, LabError, TimeoutError, ValueError, TypeError, KeyError, psutil.Error):
        return False
    hosts = {"127.0.0.1", "::1"} if address.host == "localhost" else {address.host}  # another address, another server
    listening = [link.laddr for link in links if link.status == psutil.CONN_LISTEN]
    return any(each.port == address.port and each.ip in hosts | {"0.0.0.0", "::"} for each in listening)


def _no_api(base_url: str) -> EndpointError:
    return ListError(
        f"The server at {shown(base_url)} answers, but not as an OpenAI-compatible API does",
        fix="check the address; something else may use this port",
    )


def some(names: Iterable[str]) -> str:
    """Names for a message, at most ten of them."""
    every = list(names)
    more = f" and {len(every) - NAMES} more" if len(every) > NAMES else ""
    return (", ".join(every[:NAMES]) or "none") + more


def resolve(wanted: str | None, listed: Iterable[str], where: str) -> str:
    """The full id for an alias, an id, or an id without its version, among those that an endpoint lists.

    Without `wanted`: phi-4-mini, else the embedded model, else the only one that is listed. The alias of an id is
    the id without its version, its device and "-instruct". Case does not matter. Raises ModelError, which names the
    listed ids.

        resolve("phi-4-mini", ["Phi-4-mini-instruct-generic-cpu:5"], where)  # that id
    """
    every = sorted(dict.fromkeys(listed), key=_by_name_newest_first)
    ids = [model for model in every if "*" not in model]
    if wanted is None:
        preferred = [model for alias in (PREFERRED, EMBEDDED.alias) for model in ids if _is(alias, model)]
        if preferred or len(ids) == 1:
            return (preferred or ids)[0]
        if not ids:
            raise ModelError(f"The endpoint {where} lists no model", fix="load a model there, or give another address")
        raise ModelError(
            f"The endpoint {where} lists {len(ids)} models and none was chosen: {some(ids)}",
            fix="set MODEL to one of them; where code gives base_url, MODEL is not read: give connect(model=...) too",
        )
    for model in sorted(ids, key=lambda model: model != wanted):
        if wanted.lower() == model.lower() or _is(wanted, model):
            return model
    if any("*" in model and fnmatch.fnmatchcase(wanted.lower(), model.lower()) for model in every):  # LiteLLM: openai/*
        return wanted
    # OpenRouter: a variant of a model that is listed, such as :online
    if wanted.lower().rpartition(":")[0] in {model.lower() for model in ids}:
        return wanted
    forms = {form: model for model in reversed(ids) for form in (model.lower(), *_forms(model))}
    near = difflib.get_close_matches(wanted.lower(), forms, n=1)
    meant = f"did you mean {forms[near[0]]}? Otherwise " if near else ""
    raise ModelError(
        f"The endpoint {where} has no model {wanted!r} (it lists: {some(every)})",
        fix=f"{meant}choose a model that is listed (MODEL, or connect(model=...)), or load this one there",
    )


def _parts(model: str) -> tuple[str, int]:
    """An id's name in lower case, and its version (0 without one)."""
    name, _, version = model.lower().rpartition(":")
    return (name, int(version)) if name and version.isdecimal() else (model.lower(), 0)


def _by_name_newest_first(model: str) -> Any:
    name, version = _parts(model)
    return name, -version


def _is(wanted: str, model: str) -> bool:
    return wanted.lower() in _forms(model)


def _forms(model: str) -> tuple[str, ...]:
    """What an id may be called: without its version or Ollama's `:latest`, its device, and "-instruct"."""
    name, _ = _parts(model)
    name = name.removesuffix(":latest")
    plain = _DEVICE.sub("", name)
    return name, plain, plain.removesuffix("-instruct")
