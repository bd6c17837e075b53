"""A PostgreSQL of the tests' own: Debian's programs, a folder and a port that nobody else has, ended by its process.

`python tests/postgres.py` says where its programs are; its exit status is 1 where there are none.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = ("initdb", "postgres", "pg_dump", "pg_restore", "psql")


def find() -> Path | None:
    """The folder of the newest server here, or None. Debian keeps it out of PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    places = [*debian, *(Path(place) for place in os.environ.get("PATH", "").split(os.pathsep) if place)]
    return next((place for place in places if all((place / name).is_file() for name in PROGRAMS)), None)


@dataclass
class Server:
    """A running server."""

    programs: Path
    folder: Path
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None
    _names: Iterator[int] = field(default_factory=lambda: iter(range(10_000)))

    def address(self, name: str) -> str:
        """DATABASE_URL of one of its databases."""
        return f"postgresql://tests:{self.password}@127.0.0.1:{self.port}/{name}"

    def create(self) -> str:
        """A new, empty database; returns its address."""
        name = f"threads{next(self._names)}"
        self.sql("postgres", f"CREATE DATABASE {name} TEMPLATE template0")
        return self.address(name)

    def sql(self, address: str, statement: str) -> list[str]:
        """The rows of an answer, as text."""
        name = address.rsplit("/", 1)[-1]
        command: list[str | Path] = [
            self.programs / "psql",
            "-qAtX",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            statement,
            self.address(name),
        ]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()

    def start(self) -> None:
        """Start it and wait until it answers."""
        command: list[str | Path] = [
            self.programs / "postgres",
            "-D",
            self.folder / "data",
            "-p",
            str(self.port),
            "-k",
            self.folder,
        ]
        settings = {"listen_addresses": "127.0.0.1", "fsync": "off", "max_connections": "60"}
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=_user(), cwd=self.folder
            )
        give_up = time.monotonic() + 90
        while True:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            with contextlib.suppress(subprocess.CalledProcessError):
                self.sql("postgres", "SELECT 1")
                return
            assert time.monotonic() < give_up, (self.folder / "log").read_text()
            time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it; its connections are cut. With SIGQUIT it does not tidy up."""
        if self.process:
            self.process.send_signal(how)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """Run a new server on a free port of 127.0.0.1, with a password that is asked for."""
    programs = find()
    assert programs
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # the path of a socket may not be long
    user = _user()
    try:
        secret = folder / "secret"
        secret.write_text(secrets.token_hex(8))
        for path in (folder, secret):
            if user is not None:
                os.chown(path, user, -1)
        command: list[str | Path] = [programs / "initdb", "-D", folder / "data", "-U", "tests", "--pwfile", secret]
        command += ["-A", "scram-sha-256", "-E", "UTF8", "--no-sync", "--locale", "C.UTF-8"]
        subprocess.run(command, check=True, capture_output=True, user=user, cwd=folder, timeout=120)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        server = Server(programs, folder, port, secret.read_text())
        try:
            server.start()
            yield server
        finally:
            server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> int | None:
    """Who runs it: PostgreSQL refuses root."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


if __name__ == "__main__":
    print(find() or "no PostgreSQL here")
    sys.exit(find() is None)
