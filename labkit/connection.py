"""connect(): find an endpoint, say which one and why, and return a connection with two ready clients."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

import httpx2
import openai

from labkit import endpoints, foundry
from labkit._smollm.layout import EMBEDDED
from labkit.errors import EndpointError, LabError
from labkit.listing import is_loopback, list_models, resolve, shown
from labkit.settings import PREFERRED, Settings, named_network_errors, normalize_base_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

# In seconds. A local model may need long for a long prompt; a connection is made at once or never.
TIMEOUT = openai.Timeout(120, connect=3)
RETRIES = 1


class Source(StrEnum):
    """The kinds of endpoint, in the order in which connect() tries them."""

    BASE_URL = "the endpoint in BASE_URL"
    SHARED = "shared, run by python lab.py"
    SERVICE = "a Foundry Local service of this machine"
    IN_PROCESS = "Foundry Local in this process"
    # connect() never finds these: the mock of the lessons, and the clouds of a router.
    MOCK = "the mock, scripted and without a model"
    CLOUD = "the cloud endpoint in CLOUD_BASE_URL"
    SIMULATED = "a simulated cloud"


@dataclass(frozen=True)
class Health:
    """The result of `GET /v1/models`: whether the endpoint lists the model, and after how many seconds it answered."""

    ok: bool
    seconds: float
    models: tuple[str, ...]
    detail: str


@dataclass(frozen=True)
class Connection:
    """An endpoint and the model to ask there. Close it, or use it in a `with` block.

    `model` is the full id, which chat requests need. `source` is the kind of endpoint, and `passed` says why the
    kinds before it were not used. `retries` is how often the clients repeat a request that failed before its answer.
    """

    base_url: str
    model: str
    source: Source
    api_key: str = field(default="not-needed", repr=False)
    passed: tuple[str, ...] = ()
    retries: int = RETRIES
    _runtime: foundry.Runtime | None = field(default=None, repr=False)

    @cached_property
    def client(self) -> openai.OpenAI:
        """Openai's client for synchronous code; made at first use."""
        with named_network_errors():
            http = openai.DefaultHttpxClient(trust_env=not is_loopback(self.base_url))
        return openai.OpenAI(http_client=http, **self._options())

    @cached_property
    def async_client(self) -> openai.AsyncOpenAI:
        """Openai's client for async code; made at first use, and bound to the event loop that first uses it."""
        with named_network_errors():
            http = openai.DefaultAsyncHttpxClient(trust_env=not is_loopback(self.base_url))
        return openai.AsyncOpenAI(http_client=http, **self._options())

    def _options(self) -> dict[str, Any]:
        """The arguments of both clients; the query of an address, as Azure has one, is sent with each request."""
        address = httpx2.URL(self.base_url)
        return {
            "base_url": str(address.copy_with(query=None)),
            "default_query": dict(address.params),
            "api_key": self.api_key,
            "timeout": TIMEOUT,
            "max_retries": self.retries,
        }

    def health(self) -> Health:
        """Ask for the list of models, which generates nothing. Never raises; takes at most about two seconds."""
        start = time.perf_counter()
        try:
            models = list_models(self.base_url, self.api_key)
        except LabError as error:
            return Health(False, time.perf_counter() - start, (), str(error))
        ok = self.model in models
        detail = "ready" if ok else f"{self.model} is not listed"
        return Health(ok, time.perf_counter() - start, models, detail)

    def close(self) -> None:
        """Close the synchronous client, and the runtime if this connection started it."""
        if "client" in self.__dict__:
            self.client.close()
        if self._runtime:
            self._runtime.close()

    async def aclose(self) -> None:
        """Close both clients, and the runtime if this connection started it."""
        if "async_client" in self.__dict__:
            await self.async_client.close()
        self.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Connection({shown(self.base_url)!r}, {self.model!r}, {self.source.name})"

    def __str__(self) -> str:
        lines = [f"{self.model} at {shown(self.base_url)} ({self.source})"]
        return "\n".join(lines + [f"  passed over: {reason}" for reason in self.passed])


def connect(
    model: str | None = None,
    base_url: str | None = None,
    *,
    port: int = 0,
    fetch: bool = True,
    say: Callable[[str], None] = print,
) -> Connection:
    """Find an endpoint and check that it lists the model; call `say` with which one it is and why.

    It tries, in this order: BASE_URL; an endpoint that `python lab.py` runs on this machine; another Foundry Local
    service of this machine; Foundry Local inside this process. The arguments are used instead of the variables MODEL
    and BASE_URL; an empty text counts as not given, and MODEL is not read where `base_url` is given. `port` is for
    Foundry Local in this process: any free one by default. Without `fetch`, a catalog model that is not on this
    machine is an error. Raises SettingsError, EndpointError, ModelError, FoundryError, FetchError.

        lab = connect("phi-4-mini")
        lab.client.chat.completions.create(model=lab.model, messages=[...])
    """
    settings = Settings.from_environment(model=model, base_url=base_url)
    if settings.base_url:
        # The user chose this endpoint: if it does not work, no other one is used instead.
        models = list_models(settings.base_url, settings.api_key)
        found = Connection(
            settings.base_url,
            resolve(settings.model, models, shown(settings.base_url)),
            Source.BASE_URL,
            settings.api_key,
        )
    else:
        found = _on_this_machine(settings, port, fetch=fetch)
    say(str(found))
    if settings.model is None and found.model == EMBEDDED.id:
        say(f"  a larger model: set MODEL={PREFERRED}, which downloads it from Microsoft's catalog")
    return found


def _on_this_machine(settings: Settings, port: int, *, fetch: bool) -> Connection:
    wanted = settings.model or foundry.choose(settings.cache, None).alias
    passed = ["BASE_URL is not set"]
    shared = endpoints.published(settings.cache)
    if not shared:
        passed.append("python lab.py runs no endpoint here")
    for endpoint in shared:
        try:
            chosen = resolve(wanted, list_models(endpoint.base_url), endpoint.base_url)
            return Connection(endpoint.base_url, chosen, Source.SHARED, passed=tuple(passed))
        except LabError as error:
            passed.append(f"shared endpoint: {error.message}")
    service = foundry_service()
    if service is None:
        passed.append("no other Foundry Local service was found")
    else:
        try:
            chosen = resolve(wanted, list_models(service), service)
            return Connection(service, chosen, Source.SERVICE, passed=tuple(passed))
        except LabError as error:
            passed.append(f"Foundry Local service: {error.message}")
    started = foundry.start(settings.cache, settings.model, port=port, spare=True, fetch=fetch)
    return Connection(
        started.base_url,
        started.model,
        Source.IN_PROCESS,
        passed=tuple(passed),
        _runtime=started,
    )


def foundry_service() -> str | None:
    """The base address of another Foundry Local service of this machine, or None if none answers.

    Its port changes at every start, so the `foundry` command is asked for it, where that is installed; then the port
    that courses and samples use is tried.
    """
    candidates = [f"http://127.0.0.1:{foundry.PORT}/v1"]
    if command := shutil.which("foundry"):
        try:
            done = subprocess.run([command, "service", "status"], capture_output=True, timeout=5, check=False)
            status = done.stdout.decode(errors="replace")
        except (OSError, subprocess.TimeoutExpired):
            status = ""
        hosts = re.findall(r"http://(?:127\.0\.0\.1|localhost):\d+", status)
        candidates = [normalize_base_url(host) for host in hosts] + candidates
    for base_url in candidates:
        try:
            list_models(base_url)
        except EndpointError:
            continue
        return base_url
    return None
