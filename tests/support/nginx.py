"""A real nginx before replicas of the chat, from the app's own template: on loopback, with a certificate of its own."""

from __future__ import annotations

import contextlib
import getpass
import re
import shutil
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coursekit.ports import free_port
from coursekit.processes import end

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TEMPLATE = Path(__file__).resolve().parents[2] / "apps" / "chat_prod" / "deploy" / "nginx.conf.template"
# What a distribution's nginx.conf has around the template. The worker keeps its user, who may read the test's folder.
MAIN = """
user {user};
worker_processes 1;
pid nginx.pid;
error_log logs/error.log warn;
events {{ worker_connections 512; }}
http {{
    types {{ }}
    default_type application/octet-stream;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include chat.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running nginx: its two ports, its folder, and what it takes for its own name."""

    port: int
    plain_port: int
    folder: Path

    @property
    def host(self) -> str:
        """What a browser sends as Host."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://{self.host}"

    @property
    def log(self) -> str:
        """What it wrote for each request."""
        return (self.folder / "logs" / "chat.log").read_text()

    def served(self, path: str) -> list[str]:
        """The replicas that the requests of this path came to, in order."""
        return re.findall(rf" {re.escape(path)} \d+ (\S+) ", self.log)

    def first(self, path: str) -> str:
        """The replica of the first one; it is written down a moment after the reply."""
        give_up = time.monotonic() + 20
        while not (served := self.served(path)):
            assert time.monotonic() < give_up
            time.sleep(0.01)
        return served[0]

    def tls(self) -> ssl.SSLContext:
        """A client's settings that trust its certificate and no other."""
        return ssl.create_default_context(cafile=str(self.folder / "chat.pem"))


def binary() -> str:
    """Debian keeps it where an ordinary user's PATH does not look."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        pytest.skip("nginx is not installed: apt-get install nginx")
    return found


def certificate(folder: Path) -> None:
    """A key and a certificate for 127.0.0.1, made for this folder."""
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    files = ["-keyout", str(folder / "chat.key"), "-out", str(folder / "chat.pem")]
    subprocess.run(["openssl", "req", *kind, *subject, *files], check=True, capture_output=True, timeout=60)


def filled(values: dict[str, str]) -> str:
    """The template with these values, as envsubst does it; each has to be there, and none may be left over."""
    text = TEMPLATE.read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{([A-Z0-9_]+)\}", text)) == set(values)
    return re.sub(r"\$\{([A-Z0-9_]+)\}", lambda found: values[found[1]], text)


@contextlib.contextmanager
def proxied(folder: Path, replicas: Sequence[int]) -> Iterator[Proxy]:
    """Start nginx before replicas on these ports of 127.0.0.1; it is ended at the end."""
    first, second = replicas
    (folder / "logs").mkdir(parents=True)
    certificate(folder)
    made = Proxy(free_port(), free_port(), folder)
    values = {
        "PUBLIC_HOST": made.host,
        "HTTP_LISTEN": f"127.0.0.1:{made.plain_port}",
        "HTTPS_LISTEN": made.host,
        "REPLICA_1": f"127.0.0.1:{first}",
        "REPLICA_2": f"127.0.0.1:{second}",
        "TLS_CERTIFICATE": "chat.pem",
        "TLS_KEY": "chat.key",
        "ACCESS_LOG": "logs/chat.log",
    }
    (folder / "chat.conf").write_text(filled(values), encoding="utf-8")
    (folder / "nginx.conf").write_text(MAIN.format(user=getpass.getuser()), encoding="utf-8")
    command = [binary(), "-p", f"{folder}/", "-c", "nginx.conf", "-e", "logs/error.log"]
    tried = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=60, check=False)
    assert tried.returncode == 0, tried.stderr
    process = subprocess.Popen([*command, "-g", "daemon off;"], stdin=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + 20
        while not (folder / "nginx.pid").exists():
            assert process.poll() is None, (folder / "logs" / "error.log").read_text()
            assert time.monotonic() < give_up
            time.sleep(0.05)
        yield made
    finally:
        end(process)
