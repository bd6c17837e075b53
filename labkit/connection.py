"""connect(): find an endpoint, say which one and why, and return a connection with two ready clients."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import httpx2
import openai

from labkit import endpoints, foundry
from labkit._smollm.layout import EMBEDDED
from labkit.dialects import Dialect
from labkit.errors import EndpointError, LabError, ListError, LoadingError, ModelError, SettingsError
from labkit.listing import is_foundry_here, is_here, list_models, resolve, shown, transport
from labkit.notebook import bar, prepare
from labkit.settings import PREFERRED, Settings, named_network_errors, normalize_base_url
from labkit.words import is_quota

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

# In seconds. A local model may need long for a long prompt; a connection is made at once or never.
TIMEOUT = openai.Timeout(120, connect=3)
RETRIES = 1
# Seconds that connect() waits for an endpoint which is loading its model.
LOADING = 120


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


_HERE = (Source.SHARED, Source.SERVICE, Source.IN_PROCESS, Source.MOCK)


@dataclass(frozen=True)
class Health:
    """The result of `GET /v1/models`: whether the endpoint lists the model, and after how many seconds it answered."""

    ok: bool
    seconds: float
    models: tuple[str, ...]
    detail: str


@dataclass
class _State:
    """What a connection makes and learns while it is used."""

    client: openai.OpenAI | None = None
    async_clients: dict[asyncio.AbstractEventLoop | None, openai.AsyncOpenAI] = field(default_factory=dict)
    dialect: Dialect = field(default_factory=Dialect)
    closed: bool = False


@dataclass(frozen=True)
class Connection:
    """An endpoint and the model to ask there. Close it, or use it in a `with` block.

    `model` is the full id, which chat requests need. `source` is the kind of endpoint, and `passed` says why the
    kinds before it were not used. `retries` is how often the clients repeat a request that failed before its answer.
    `known_here` is set where BASE_URL was recognised as Foundry Local on this machine, and `listed` is not where the
    endpoint's list did not confirm the model.
    """

    base_url: str
    model: str
    source: Source
    api_key: str = field(default="not-needed", repr=False)
    passed: tuple[str, ...] = ()
    retries: int = RETRIES
    known_here: bool = False
    listed: bool = True
    _runtime: foundry.Runtime | None = field(default=None, repr=False)
    _state: _State = field(default_factory=_State, init=False, repr=False, compare=False)

    @property
    def stays_here(self) -> bool:
        """Whether it is known that messages do not leave this machine.

        So it is for a runtime that labkit has started or recognised, and for the scripted mock. Any other address on
        loopback may be a proxy, a tunnel or a container in front of a cloud.
        """
        return is_here(self.base_url) and (self.known_here or self.source in _HERE)

    @property
    def dialect(self) -> Dialect:
        """What the endpoint has refused in a request so far."""
        return self._state.dialect

    @property
    def client(self) -> openai.OpenAI:
        """Openai's client for synchronous code; made at first use. Raises EndpointError after `close`."""
        self._check_open()
        if self._state.client is None:
            options = transport(self.base_url)
            with named_network_errors():
                http = openai.DefaultHttpxClient(event_hooks={"response": [_mark_quota]}, **options)
            self._state.client = openai.OpenAI(http_client=http, **self._options())
        return self._state.client

    @property
    def async_client(self) -> openai.AsyncOpenAI:
        """Openai's client for async code; made at first use in each event loop. Raises EndpointError after `aclose`."""
        self._check_open()
        loop = _running_loop()
        clients = self._state.async_clients
        for ended in [each for each in clients if each is not None and each.is_closed()]:
            del clients[ended]
        if loop not in clients:
            clients[loop] = clients.pop(None) if None in clients else self._make_async_client()
        return clients[loop]

    def _make_async_client(self) -> openai.AsyncOpenAI:
        options = transport(self.base_url)
        with named_network_errors():
            http = openai.DefaultAsyncHttpxClient(event_hooks={"response": [_amark_quota]}, **options)
        return openai.AsyncOpenAI(http_client=http, **self._options())

    def _check_open(self) -> None:
        if self._state.closed:
            raise EndpointError("This connection is closed", fix="connect() again")

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
            late = isinstance(error.__cause__, TimeoutError | httpx2.TimeoutException)
            answers = not self.listed and type(error) is ListError and not late
            detail = "answers, without a list of models" if answers else str(error)
            return Health(answers, time.perf_counter() - start, (), detail)
        ok = self.model in models or not self.listed
        detail = "ready" if ok else f"{self.model} is not listed"
        return Health(ok, time.perf_counter() - start, models, detail)

    def close(self) -> None:
        """Close the synchronous client, and the runtime if this connection started it."""
        if self._state.client is not None:
            self._state.client.close()
        self._state.closed = True
        if self._runtime:
            self._runtime.close()

    async def aclose(self) -> None:
        """Close the clients, and the runtime if this connection started it."""
        if client := self._state.async_clients.pop(asyncio.get_running_loop(), None):
            await client.close()
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


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _mark_quota(response: httpx2.Response) -> None:
    """Tell openai's client not to repeat a request after "quota used up", which looks like "too many requests"."""
    if response.status_code == 429:
        response.read()
        if is_quota(response.text):
            response.headers["x-should-retry"] = "false"


async def _amark_quota(response: httpx2.Response) -> None:
    if response.status_code == 429:
        await response.aread()
        if is_quota(response.text):
            response.headers["x-should-retry"] = "false"


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
    prepare()
    settings = Settings.from_environment(model=model, base_url=base_url)
    if settings.base_url:
        # The user chose this endpoint: if it does not work, no other one is used instead.
        chosen, doubt = _at(settings.base_url, settings)
        here = is_foundry_here(settings.base_url)
        found = Connection(
            settings.base_url, chosen, Source.BASE_URL, settings.api_key, known_here=here, listed=doubt is None
        )
        if doubt:
            say(f"  Warning: {doubt.message}. {found.model} is asked for all the same; its first token decides.")
    else:
        found = _on_this_machine(settings, port, fetch=fetch)
    say(str(found))
    if settings.model is None and found.model == EMBEDDED.id:
        say(f"  a larger model: set MODEL={PREFERRED}, which downloads it from Microsoft's catalog")
    return found


def _at(base_url: str, settings: Settings) -> tuple[str, LabError | None]:
    """The model to ask for at an address, and why its list does not confirm that, where MODEL was given all the same.

    Waits while the endpoint loads its model.
    """
    try:
        models = _list_when_loaded(base_url, settings.api_key)
        return resolve(settings.model, models, shown(base_url)), None
    except (ListError, ModelError) as error:
        if settings.model is None:
            raise
        return settings.model, error


def _list_when_loaded(base_url: str, api_key: str) -> tuple[str, ...]:
    deadline = time.monotonic() + LOADING
    with contextlib.ExitStack() as stack:
        advance: Callable[[int], None] | None = None
        while True:
            try:
                return list_models(base_url, api_key)
            except LoadingError:
                left = deadline - time.monotonic()
                if left < 0:
                    raise
                advance = advance or stack.enter_context(bar("The endpoint loads its model", total=LOADING, unit="s"))
                advance(int(LOADING - left))
                time.sleep(0.5)


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
    found = list[str]()
    if command := shutil.which("foundry"):
        for words in (["server", "status"], ["service", "status"]):  # the newer and the older command line
            try:
                done = subprocess.run(
                    [command, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False
                )
            except (OSError, subprocess.TimeoutExpired):
                continue
            plain = re.sub(rb"\x1b\[[\d;]*m|\x00", b"", done.stdout).decode(errors="replace")  # colours, and UTF-16
            hosts = re.findall(r"https?://(?:127\.0\.0\.1|localhost|\[::1\]|0\.0\.0\.0):[1-9]\d{0,4}\b", plain)
            for host in hosts:
                with contextlib.suppress(SettingsError):
                    found.append(normalize_base_url(host.replace("0.0.0.0", "127.0.0.1")))
    usual = f"http://127.0.0.1:{foundry.PORT}/v1"
    for base_url in dict.fromkeys([*found, usual]):
        if base_url not in found and not is_foundry_here(base_url):
            continue
        try:
            list_models(base_url)
        except LabError:
            continue
        return base_url
    return None
