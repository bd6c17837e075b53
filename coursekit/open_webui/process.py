"""Open WebUI beside an endpoint: what it is told, its start and its end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from coursekit.open_webui.packages import FOLDER, FULL, home
from coursekit.processes import child
from labkit.errors import EndpointError, SettingsError
from labkit.files import secret
from labkit.notebook import bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from coursekit.open_webui.packages import Kind
    from labkit.connection import Connection

START_SECONDS = 300
END_SECONDS = 10
# What a program needs of its surroundings. Open WebUI reads hundreds of variables by common names such as
# OPENAI_API_KEY and DATABASE_URL, and none that was set for something else is to reach it.
_PASSED = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP"),
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA"),
    *("PROGRAMDATA", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
)
# `open-webui serve`, which also ends when the process that started it is gone, however that came about.
_CHILD = """
import _thread, os, signal, sys, threading, time, psutil
def follow(parent):
    parent.wait()
    _thread.interrupt_main(signal.SIGTERM)
    time.sleep(5)
    os._exit(1)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
threading.Thread(target=follow, args=(psutil.Process(int(sys.argv.pop(1))),), daemon=True).start()
from open_webui import app
app()
"""


@dataclass(frozen=True)
class Server:
    """Open WebUI that is ready: where, how long that took, and where its log is."""

    process: subprocess.Popen[bytes]
    address: str
    seconds: float
    log: Path

    def wait(self) -> None:
        """Block until it ends by itself, which raises EndpointError; Ctrl-C gets through."""
        while self.process.poll() is None:
            time.sleep(0.2)
        raise _ended(self.log)


def variables(file: Path = FOLDER / "open_webui.env") -> dict[str, str]:
    """What an environment file sets: NAME=value on a line, and lines with # that say why.

    Raises SettingsError for a line that is neither.
    """
    found = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.isidentifier():
            raise SettingsError(f"Line {number} of {file.name} is {line!r}", fix="write it as NAME=value")
        found[name] = value
    return found


def environment(
    lab: Connection, port: int, data: Path, key: str, kind: Kind, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The whole environment of the process: what a program needs, the file, the kind, and what the command found."""
    address = f"http://127.0.0.1:{port}"
    beside = ",".join(filter(None, ["127.0.0.1", "localhost", environ.get("NO_PROXY") or environ.get("no_proxy")]))
    return (
        {name: environ[name] for name in _PASSED if name in environ}
        | variables()
        | dict(kind.variables)
        | {
            "OPENAI_API_BASE_URL": lab.base_url,
            "OPENAI_API_KEY": lab.api_key,
            "DEFAULT_MODELS": lab.model,
            "CORS_ALLOW_ORIGIN": f"{address};http://localhost:{port}",
            "WEBUI_SECRET_KEY": key,
            "DATA_DIR": str(data),
            "STATIC_DIR": str(data / "static"),
            "NO_PROXY": beside,
            "no_proxy": beside,
            "PYTHONUTF8": "1",
        }
    )


@contextlib.contextmanager
def running(
    python: Path,
    lab: Connection,
    cache: Path,
    port: int,
    kind: Kind = FULL,
    *,
    further: Mapping[str, str] | None = None,
    say: Callable[[str], None] = print,
) -> Iterator[Server]:
    """Open WebUI on 127.0.0.1 until the block ends, ready when it begins.

    Accounts and conversations are kept below the cache and are there at the next start, of either kind; `further`
    variables come on top of all others. Raises EndpointError where it runs already or does not get ready.
    """
    place = home(cache)
    data, log = place / "data", place / "open-webui.log"
    first = not (data / "webui.db").is_file()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)  # the conversations are their owner's
    # Two of them over one database would each believe what the other has changed since.
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(FileLock(place / "running.lock", timeout=0))
        except Timeout:
            raise EndpointError(
                "Open WebUI runs already on this machine over the same conversations",
                fix="use that one, or end it with Ctrl-C where it was started",
            ) from None
        environ = environment(lab, port, data, secret(place / "secret-key"), kind) | dict(further or {})
        say(
            "Open WebUI starts: "
            + ("the first time takes about a minute." if first else "that takes ten seconds to half a minute.")
        )
        output = stack.enter_context(log.open("wb"))
        # It ends in good order, so that the endpoint ends the answers that it is making. A session of its own: Ctrl-C
        # in the terminal reaches us alone.
        serving = child(
            [str(python), "-c", _CHILD, str(os.getpid()), "serve", "--host", "127.0.0.1", "--port", str(port)],
            seconds=END_SECONDS,
            cwd=data,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=sys.platform != "win32",
        )
        yield _ready(stack.enter_context(serving), f"http://127.0.0.1:{port}", log)


def _ready(process: subprocess.Popen[bytes], address: str, log: Path) -> Server:
    """Wait until it has started and its database answers."""
    begun = time.monotonic()
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with bar("Starting Open WebUI", total=60, unit="s") as advance:
        while (passed := time.monotonic() - begun) < START_SECONDS:
            if process.poll() is not None:
                raise _ended(log)
            with contextlib.suppress(urllib.error.URLError, OSError), direct.open(f"{address}/ready", timeout=2):
                return Server(process, address, time.monotonic() - begun, log)
            advance(min(60, int(passed)))
            time.sleep(0.1)
    raise EndpointError(f"Open WebUI was not ready after {START_SECONDS} s", fix=f"read {log}, then start again")


def _ended(log: Path) -> EndpointError:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return EndpointError(
        f"Open WebUI has ended ({lines[-1].strip() if lines else 'it said nothing'})",
        fix=f"read {log}, then start again; deleting the folders full and slim beside it sets it up again",
    )
