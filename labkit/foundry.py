"""Foundry Local in this process: start, load a model, serve it, close.

This is the only module that names foundry-local-sdk 2.x. Its manager is one for the whole process.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from labkit._smollm import layout
from labkit._smollm.layout import EMBEDDED as EMBEDDED
from labkit._smollm.layout import install as install_embedded
from labkit.errors import FoundryError, ModelError
from labkit.listing import resolve
from labkit.notebook import bar
from labkit.settings import PREFERRED

if TYPE_CHECKING:
    from foundry_local_sdk import Configuration, FoundryLocalManager, IModel
    from foundry_local_sdk.catalog import Catalog

PORT = 51211
# The attribute of the process-wide manager that names the runtimes that use it, if labkit has started it.
_USERS = "_labkit_users"
_EMPTY = "http://127.0.0.1:{}/asset-gallery/v1.0/models"


@dataclass(frozen=True)
class Choice:
    """Which model to load, from which folder, and whether it is on this machine already."""

    alias: str
    folder: Path
    cached: bool
    # The id of one build, if an id was asked for and not an alias.
    variant: str | None = None


def choose(cache: Path, model: str | None) -> Choice:
    """The model to load: `model`; without one, phi-4-mini if it is on this machine, else the embedded model."""
    for folder in _catalog_folders(cache):
        if found := _cached(folder, model or PREFERRED):
            alias, variant = found
            return Choice(alias, folder, cached=True, variant=variant)
    if model is None or model.lower() in (EMBEDDED.alias, EMBEDDED.name, EMBEDDED.id):
        return Choice(EMBEDDED.alias, layout.folder(cache), layout.is_installed(cache))
    return Choice(model, _catalog_folders(cache)[0], cached=False)


def _catalog_folders(cache: Path) -> tuple[Path, Path]:
    """The folders for catalog models: our own cache, then the one of Foundry Local's command line."""
    return cache / "catalog", Path.home() / ".foundry" / "cache" / "models"


def _cached(folder: Path, wanted: str) -> tuple[str, str | None] | None:
    """The alias of a model that is complete in this folder and named in its catalog snapshot; case is ignored.

    The second value is the full id, if `wanted` is an id, with or without its version.
    """
    names = ("alias", "name", "id")
    entries = [entry for entry in _list_in(folder / "foundry.modelinfo.json", "models") if isinstance(entry, dict)]
    named = [
        {name: str(entry.get(name)) for name in names}
        for entry in entries
        if wanted.lower() in {str(entry.get(name)).lower() for name in names}
    ]
    if not named:
        return None
    present = {name for path in folder.rglob("inference_model.json") for name in _list_in(path, "Name")}
    here = next((entry for entry in named if entry["id"] in present), None)
    if here is None:
        return None
    return here["alias"], None if here["alias"].lower() == wanted.lower() else here["id"]


def _list_in(path: Path, field: str) -> list[Any]:
    """A field of a JSON file as a list; an empty list if the file is missing, broken or has another form."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))[field]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class Runtime:
    """A model that this process has loaded and serves on loopback."""

    base_url: str
    model: str
    alias: str
    manager: FoundryLocalManager = field(repr=False, compare=False)

    def stop_asked(self) -> bool:
        """Whether this runtime has ended, or was asked to end (POST /shutdown)."""
        return _manager() is not self.manager or self.manager.is_shutdown_requested()

    def close(self, seconds: float = 5) -> bool:
        """Stop, if labkit started the manager and no other Runtime uses it; False if that takes longer than `seconds`.

        It takes one to three seconds. In SDK 2.2.1 it never ends after a POST /shutdown.
        """
        users = vars(self.manager).get(_USERS, set())
        if id(self) not in users or _manager() is not self.manager:
            return True
        users.remove(id(self))
        if users:
            return True
        # In a thread: Ctrl-C would interrupt the close, and the SDK waits for its end at exit.
        closing = threading.Thread(target=self.manager.close, daemon=True)
        closing.start()
        closing.join(seconds)
        _end_no_catalog()
        return not closing.is_alive()


def start(cache: Path, model: str | None = None, *, port: int = 0, spare: bool = False, fetch: bool = True) -> Runtime:
    """Load a model (see `choose`) and serve it on 127.0.0.1, on any free port by default.

    With `spare`, any free port is used if `port` has been taken meanwhile. A second call in one
    process joins the manager that runs. Raises FoundryError if the runtime is missing or fails, ModelError
    for a model that neither the catalog nor the cache has, FetchError. Without `fetch`, a catalog model
    that is not on this machine yet is a ModelError too.
    """
    choice = choose(cache, model)
    if choice.alias == EMBEDDED.alias:
        install_embedded(cache)
    manager = _manager()
    ours = manager is None
    from foundry_local_sdk import FoundryLocalException, FoundryLocalManager

    try:
        if manager is None:
            FoundryLocalManager.initialize(configuration(cache, choice, port=port))
            manager = FoundryLocalManager.instance
            assert manager is not None
        loaded = _load(manager, choice, joined=not ours, fetch=fetch)
        if not manager.urls:
            manager.start_web_service()
    except BaseException as error:
        if ours and manager is not None:
            manager.close()
            _end_no_catalog()
        if isinstance(error, FoundryLocalException):
            if ours and port and spare and "in use" in str(error):
                return start(cache, model, fetch=fetch)
            raise _failure(error, port) from error
        raise
    address = (manager.urls or [""])[0].rstrip("/")
    running = Runtime(f"{address}/v1", loaded.id, loaded.alias, manager)
    if ours:
        vars(manager)[_USERS] = set()
    if _USERS in vars(manager):
        vars(manager)[_USERS].add(id(running))
    return running


def configuration(cache: Path, choice: Choice | None = None, *, port: int = 0) -> Configuration:
    """The SDK's configuration for a model; the notebook's tour of the SDK uses it too.

    A model that is on this machine already needs no catalog from the network. Offline, the runtime would retry the
    catalog for four seconds, so it gets an address on loopback that answers 404 at once.
    """
    require_sdk()
    from foundry_local_sdk import Configuration, LogLevel

    chosen = choice or choose(cache, None)
    local = chosen.cached or chosen.alias == EMBEDDED.alias
    return Configuration(
        app_name="FoundryLocalWorkbook",
        app_data_dir=str(cache / "runtime"),
        model_cache_dir=str(chosen.folder),
        # The runtime logs each failed catalog call as an error; real errors are exceptions.
        log_level=LogLevel.FATAL,
        web=Configuration.WebService(urls=f"http://127.0.0.1:{port}"),
        catalog_urls=[(_EMPTY.format(_no_catalog().server_port), None)] if local else None,
        disable_nonessential_telemetry=True,
    )


def _load(manager: FoundryLocalManager, choice: Choice, *, joined: bool, fetch: bool = True) -> IModel:
    catalog = manager.catalog
    model = _find(catalog, choice.variant or choice.alias)
    if model is None:
        known = ", ".join(sorted(item.alias for item in catalog.list_models()))
        if not known and not joined:
            raise ModelError(
                f"Microsoft's catalog could not be reached, so {choice.alias!r} cannot be looked up",
                fix=f"check the network, or leave MODEL unset for {EMBEDDED.alias}",
            )
        raise ModelError(
            f"Foundry Local's catalog has no model {choice.alias!r} (it lists: {known or 'none'})",
            fix="this process already runs Foundry Local with another catalog: restart the kernel, or let "
            "python lab.py serve run one of the two models in a second terminal"
            if joined
            else f"check the name and the network, or leave MODEL unset for {EMBEDDED.alias}",
        )
    if not model.is_cached:
        if not fetch:
            size = f"{model.info.file_size_mb} MB" if model.info.file_size_mb else "of unknown size"
            raise ModelError(
                f"The model {model.alias} is not on this machine yet ({size})",
                fix="download it with python lab.py serve",
            )
        download(model)
    if not model.is_loaded:
        model.load()
    return model


def _find(catalog: Catalog, wanted: str) -> IModel | None:
    """The model of an alias, or the build of an id with or without its version; the SDK alone needs exact names."""
    models = catalog.list_models()
    for model in models:
        if model.alias.lower() == wanted.lower():
            return model
    builds = {build.id: build for model in models for build in model.variants}
    try:
        return builds[resolve(wanted, builds, "the catalog")]
    except ModelError:
        return None


def download(model: IModel) -> None:
    """Download a catalog model, with its size and a progress bar; Ctrl-C or the interrupt button cancels it.

    The SDK's call blocks in native code, so it runs in a thread of its own and this one can be interrupted.
    Raises ModelError when cancelled; the downloaded part is kept, and the next try continues it.
    """
    from foundry_local_sdk import FoundryLocalException

    megabytes = model.info.file_size_mb
    told = f"The model {model.alias} is not on this machine yet: downloading {megabytes or 'an unknown number of'} MB."
    print(told, file=sys.stderr, flush=True)  # stdout may be JSON, or the line READY
    cancel = threading.Event()
    with (
        bar(f"Downloading {model.alias}", total=100, unit="%") as advance,
        ThreadPoolExecutor(max_workers=1) as pool,
    ):
        try:
            work = pool.submit(model.download, advance, cancel)
            while wait([work], timeout=0.1).not_done:
                pass
            work.result()
        except KeyboardInterrupt:
            cancel.set()
            raise ModelError(
                f"The download of {model.alias} was cancelled",
                fix="start again to continue it, or leave MODEL unset to use the embedded model",
            ) from None
        except FoundryLocalException as error:
            raise ModelError(
                f"The model {model.alias} could not be downloaded ({error})",
                fix="check the network and the free disk space and start again; the downloaded part is kept",
            ) from error


class _NotFound(BaseHTTPRequestHandler):
    """Answers 404 to every request."""

    def do_GET(self) -> None:
        self.send_error(404)

    do_HEAD = do_POST = do_GET  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@cache
def _no_catalog() -> ThreadingHTTPServer:
    """An empty catalog on loopback; one server for the process, until its runtime is closed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _NotFound)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _end_no_catalog() -> None:
    if _no_catalog.cache_info().currsize:
        server = _no_catalog()
        _no_catalog.cache_clear()
        server.shutdown()
        server.server_close()


def require_sdk() -> None:
    """Raise FoundryError where the SDK is not installed."""
    try:
        import foundry_local_sdk  # noqa: F401
    except ImportError as error:
        raise FoundryError(
            f"Foundry Local's runtime is not installed here ({error}); it has no build for Intel Macs",
            fix="set BASE_URL to an OpenAI-compatible endpoint, for example llama.cpp's server or another machine's",
        ) from error


def _manager() -> FoundryLocalManager | None:
    require_sdk()
    from foundry_local_sdk import FoundryLocalManager

    return FoundryLocalManager.instance


def _failure(error: BaseException, port: int) -> FoundryError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if "in use" in first:
        return FoundryError(f"Port {port} on 127.0.0.1 is taken", fix="choose another port, or none for a free one")
    return FoundryError(
        f"Foundry Local could not start: {first}",
        fix="check disk, memory and packages with python lab.py doctor, then start again",
    )


def leave(status: int) -> NoReturn:
    """End this process with a status, even if a runtime has not ended: at exit, the SDK would wait for it for ever."""
    if _manager() is not None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # the reader has gone
                stream.flush()
        os._exit(status)
    sys.exit(status)
