"""Endpoints that are not ours, as people run them: llama.cpp's server, and a LiteLLM proxy before another endpoint.

Each is installed from the package index into an environment of its own, since its packages do not fit beside ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx2
import uv

from coursekit.ports import free_port
from coursekit.processes import end

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

LITELLM, LLAMA_CPP = "litellm[proxy]==1.108.7", "xllamacpp==2026.10.11549"
_LLAMA_CPP = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.model_alias = sys.argv[1], {sys.argv[2]}
params.hostnames, params.port, params.n_ctx = ["127.0.0.1"], int(sys.argv[3]), 4096
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1  # not in the way of other tests
server = xllamacpp.Server(params)
sys.stdin.read()
"""


def install(folder: Path, package: str) -> Path:
    """An environment with this package; its Python."""
    for words in (["venv", "--quiet", "--python", sys.executable, str(folder)], _pip(folder, package)):
        subprocess.run([uv.find_uv_bin(), *words], check=True, timeout=300)
    return _python(folder)


def _python(folder: Path) -> Path:
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def _pip(folder: Path, package: str) -> list[str]:
    return ["pip", "install", "--quiet", "--python", str(_python(folder)), package]


@contextlib.contextmanager
def llama_cpp(python: Path, gguf: Path, model: str, log: Path) -> Iterator[str]:
    """llama.cpp's server on a file of weights; its address."""
    port = free_port()
    with _serving([str(python), "-c", _LLAMA_CPP, str(gguf), model, str(port)], port, log) as base_url:
        yield base_url


@contextlib.contextmanager
def litellm(python: Path, upstream: str, upstream_model: str, model: str, log: Path) -> Iterator[str]:
    """A LiteLLM proxy on this machine that sends everything to another endpoint; its address."""
    port, settings = free_port(), log.with_suffix(".yaml")
    target = {"model": f"openai/{upstream_model}", "api_base": upstream, "api_key": "none"}
    # JSON is YAML too.
    settings.write_text(json.dumps({"model_list": [{"model_name": model, "litellm_params": target}]}), encoding="utf-8")
    command = [str(python.with_name("litellm")), "--config", str(settings), "--host", "127.0.0.1", "--port", str(port)]
    # Without a key, since it listens on loopback; and without asking the network for a list of prices.
    variables = {
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "true",
        "LITELLM_TELEMETRY": "false",
    }
    with _serving(command, port, log, variables) as base_url:
        yield base_url


@contextlib.contextmanager
def _serving(command: Sequence[str], port: int, log: Path, variables: Mapping[str, str] | None = None) -> Iterator[str]:
    base_url = f"http://127.0.0.1:{port}/v1"
    environ = os.environ | dict(variables or {})
    with log.open("wb") as opened:
        process = subprocess.Popen(
            command, env=environ, stdin=subprocess.PIPE, stdout=opened, stderr=subprocess.STDOUT, cwd=log.parent
        )
    try:
        give_up = time.monotonic() + 120
        while not _answers(base_url):
            assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")[-3000:]
            assert time.monotonic() < give_up, log.read_text(encoding="utf-8", errors="replace")[-3000:]
            time.sleep(0.1)
        yield base_url
    finally:
        assert process.stdin
        process.stdin.close()
        end(process)


def _answers(base_url: str) -> bool:
    try:
        return httpx2.get(f"{base_url}/models", trust_env=False, timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False
