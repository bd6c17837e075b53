"""Ports of this machine: which one is free, and which program listens on one that is not."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import psutil

from labkit.errors import EndpointError

# The end of the name of a program of this environment, such as the workbook's own endpoint and its JupyterLab.
OWN = ", of this workbook"


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on this port of an address of this machine now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port(host: str = "127.0.0.1") -> int:
    """A port on which nobody listens now. Raises OSError where `host` is not an address of this machine."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def holder(port: int) -> str:
    """The program that listens on this port, as "name (process id)"; OWN follows if it is of this environment.

    "unknown" where the system does not say.
    """
    try:
        for link in psutil.net_connections("tcp"):
            if link.laddr and link.laddr.port == port and link.status == psutil.CONN_LISTEN and link.pid:
                process = psutil.Process(link.pid)
                return f"{process.name()} (process {link.pid}){OWN if _is_own(process) else ''}"
    except psutil.Error:
        return "unknown (the system does not say; try as administrator)"
    return "unknown"


def _is_own(process: psutil.Process) -> bool:
    """Whether a program runs on the Python of this environment."""
    try:
        command = process.cmdline()
        return bool(command) and Path(process.cwd(), command[0]) == Path(sys.executable)  # it may be a relative path
    except psutil.Error:
        return False


def pick(requested: int | None, preferred: int, host: str = "127.0.0.1") -> int:
    """The requested port, or else the preferred one if it is free on `host`, or else any free one.

    Raises EndpointError when the requested port is taken, and for a host that is not an address of this machine.
    """
    if requested is not None and not 0 < requested < 65536:
        raise EndpointError(f"{requested} is not a port number", fix="choose a --port from 1 to 65535, or leave it out")
    try:
        spare = free_port(host)
    except OSError as error:
        raise EndpointError(
            f"{host} is not an address of this machine ({error.strerror or error})",
            fix="leave --host at 127.0.0.1, or set it to 0.0.0.0 for all addresses of this machine",
        ) from error
    if requested is not None and not is_free(requested, host):
        raise EndpointError(f"Port {requested} on {host} is taken", fix="choose another --port, or leave it out")
    return requested or (preferred if is_free(preferred, host) else spare)
