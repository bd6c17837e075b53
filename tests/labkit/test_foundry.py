"""Foundry Local in this process: its beginning and end, and what it loads."""

from __future__ import annotations

import _thread
import io
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import httpx2
import openai
import psutil
import pytest
from foundry_local_sdk.exception import FoundryLocalException

from labkit import foundry
from labkit._smollm import layout
from labkit._smollm.layout import EMBEDDED
from labkit.errors import FoundryError, ModelError
from labkit.foundry import Choice, choose
from labkit.listing import list_models
from tests.conftest import PHI, ROOT, catalog_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from foundry_local_sdk import FoundryLocalManager, IModel

    Progress = Callable[[float], None]


def test_import_loads_little() -> None:
    """`import labkit` is quick, and works where there is no runtime."""
    code = "import sys, labkit, coursekit.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "labkit" in loaded
    assert loaded & {"openai", "numpy", "foundry_local_sdk", "onnx", "gguf", "httpx2", "IPython"} == set()


def test_catalog_of_the_network_only_for_what_is_not_here(own_cache: Path) -> None:
    """Asked for it offline, the runtime would retry for four seconds."""

    def address(alias: str, *, cached: bool) -> str | None:
        config = foundry.configuration(own_cache, Choice(alias, own_cache, cached))
        return config.catalog_urls[0][0] if config.catalog_urls else None

    assert str(address("phi-4-mini", cached=True)).startswith("http://127.0.0.1:")
    assert str(address(EMBEDDED.alias, cached=False)).startswith("http://127.0.0.1:")
    assert address("phi-4-mini", cached=False) is None


@pytest.mark.live
def test_preferred_model_out_of_the_cache(linked_model: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real runtime serves phi-4-mini's files, here the embedded model's, and asks loopback for its catalog."""
    catalog_model(own_cache / "catalog", model=linked_model)
    asked: list[str] = []
    monkeypatch.setattr(foundry._NotFound, "log_request", lambda handler, *_: asked.append(handler.path))
    running = foundry.start(own_cache)
    assert (running.alias, running.model) == ("phi-4-mini", f"{PHI}:1")
    assert list_models(running.base_url) == (f"{PHI}:1",)
    assert asked
    with openai.OpenAI(base_url=running.base_url, api_key="-") as client:
        answer = client.chat.completions.create(
            model=running.model, messages=[{"role": "user", "content": "Hi"}], max_tokens=3
        )
    assert answer.choices[0].message.content
    assert running.close()


@pytest.mark.live
def test_variant_that_was_asked_for(linked_model: Path, own_cache: Path) -> None:
    """An id means that build of a model, not the one that the runtime would take for its alias."""
    names = ["Phi-4-mini-instruct-a-cpu", "Phi-4-mini-instruct-b-cpu"]
    for name in names:
        catalog_model(own_cache / "catalog", name, model=linked_model)
    served = [foundry.start(own_cache, f"{name}:1").model for name in names]
    assert served == [f"{name}:1" for name in names]


@pytest.mark.live
def test_catalog_is_asked_by_any_name(linked_model: Path, own_cache: Path, tmp_path: Path) -> None:
    """A model that is not known to be here is looked for under all its names too; the SDK alone wants them exact."""
    catalog_model(own_cache / "catalog", model=linked_model)
    foundry.start(own_cache)
    names = ["Phi-4-Mini", PHI, f"{PHI}:1".upper()]
    assert [foundry.start(tmp_path / "empty", name).model for name in names] == [f"{PHI}:1"] * 3


@pytest.mark.live
def test_close_ends_this_runtime_and_no_other(own_cache: Path) -> None:
    """One manager is allowed in a process: it goes, another can begin, and closing again leaves that one alone."""
    first = foundry.start(own_cache)
    assert not first.stop_asked()
    assert first.close()
    assert first.stop_asked()
    second = foundry.start(own_cache)
    assert first.close()
    assert list_models(second.base_url) == (EMBEDDED.id,)
    assert second.close()


@pytest.mark.live
def test_start_and_close_leave_no_thread_and_no_open_file(own_cache: Path) -> None:
    """The first start loads the library, which stays; the others leave nothing."""
    threads = threading.active_count()

    def left() -> tuple[int, int]:
        assert foundry.start(own_cache).close()
        process = psutil.Process()
        return threading.active_count(), process.num_handles() if sys.platform == "win32" else process.num_fds()

    first = left()
    left()
    assert left() <= first
    assert threading.active_count() == threads


STUCK = """
import contextlib, httpx2
from labkit import connect, foundry
with connect() as lab, contextlib.suppress(httpx2.HTTPError):  # it may end before it has answered
    httpx2.post(lab.base_url.removesuffix("/v1") + "/shutdown", trust_env=False)
print("closed")
foundry.leave(3)
"""


@pytest.mark.live
@pytest.mark.e2e
def test_a_process_ends_though_its_runtime_does_not() -> None:
    """After POST /shutdown the SDK's close never returns, and at exit the SDK waits for it."""
    done = subprocess.run(
        [sys.executable, "-c", STUCK], cwd=ROOT, capture_output=True, text=True, timeout=40, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[-1], done.stderr) == (3, "closed", "")


@pytest.mark.live
def test_port_that_is_taken(own_cache: Path) -> None:
    """The port is named, and nothing is left running."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(FoundryError, match=f"Port {port} on 127.0.0.1 is taken"):
            foundry.start(own_cache, port=port)
    assert foundry._manager() is None


@pytest.mark.live
def test_model_that_cannot_be_loaded(own_cache: Path) -> None:
    """What the runtime says is passed on in one line, and nothing is left running."""
    graph = layout.model_folder(own_cache) / "model.onnx"
    size = graph.stat().st_size
    graph.unlink()  # the file itself is everybody's
    graph.write_bytes(bytes(size))
    with pytest.raises(FoundryError, match="could not start") as caught:
        foundry.start(own_cache)
    assert "\n" not in str(caught.value)
    assert foundry._manager() is None


@pytest.mark.live
@pytest.mark.e2e
def test_alias_that_no_catalog_has(own_cache: Path) -> None:
    """Offline this takes the runtime some seconds, which only such a name costs. Else the list is named."""
    said = "could not be reached, so 'no-such-model'|has no model 'no-such-model'"
    with pytest.raises(ModelError, match=said) as caught:
        foundry.start(own_cache, "no-such-model")
    assert EMBEDDED.alias in caught.value.fix
    assert foundry._manager() is None


def model(download: Callable[[Progress, threading.Event], None], megabytes: int | None = 3) -> IModel:
    """What download() sees of a catalog model."""
    return cast("IModel", SimpleNamespace(alias="a", info=SimpleNamespace(file_size_mb=megabytes), download=download))


@pytest.mark.parametrize(("megabytes", "said"), [(3686, "3686 MB"), (None, "an unknown number of MB")])
def test_download_says_its_size(capsys: pytest.CaptureFixture[str], megabytes: int | None, said: str) -> None:
    """Before it begins, so that whoever pays by the megabyte can stop it; stdout is for programs."""
    foundry.download(model(lambda *_: None, megabytes))
    assert f"a is not on this machine yet: downloading {said}." in capsys.readouterr().err


def test_download_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal, what the runtime reports moves a bar."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def download(progress: Progress, cancel: threading.Event) -> None:
        for percent in (10.0, 42.0):
            cancel.wait(0.15)  # a bar is drawn ten times a second at most
            progress(percent)

    monkeypatch.setattr(sys, "stderr", Terminal())
    foundry.download(model(download))
    shown = cast("Terminal", sys.stderr).getvalue()
    assert "Downloading a:  42%" in shown


@pytest.mark.parametrize("end", ["returns", "raises"])
def test_download_that_is_interrupted(end: str) -> None:
    """Ctrl-C cancels the runtime's own download and waits for its end."""
    ended = []

    def download(_: Progress, cancel: threading.Event) -> None:
        cancel.wait(0.2)  # until the other thread waits
        _thread.interrupt_main()
        ended.append(cancel.wait(10))
        if end == "raises":
            raise FoundryLocalException("cancelled")

    with pytest.raises(ModelError, match="The download of a was cancelled") as caught:
        foundry.download(model(download))
    assert ended == [True]
    assert "start again" in caught.value.fix


def test_a_download_that_fails_gives_the_reason_of_the_runtime() -> None:
    def download(*_: object) -> None:
        raise FoundryLocalException("no route to host")

    with pytest.raises(ModelError, match=r"a could not be downloaded \(no route to host\)") as caught:
        foundry.download(model(download))
    assert isinstance(caught.value.__cause__, FoundryLocalException)
    assert "network" in caught.value.fix


@pytest.mark.parametrize(
    ("listed", "said"),
    [([], "Microsoft's catalog could not be reached"), ([SimpleNamespace(alias="a", variants=[])], "it lists: a")],
)
def test_a_model_that_no_catalog_has(tmp_path: Path, listed: list[Any], said: str) -> None:
    """Without a network nothing is known of a name, which is another thing than that there is no such model."""
    manager = cast("FoundryLocalManager", SimpleNamespace(catalog=SimpleNamespace(list_models=lambda: listed)))
    with pytest.raises(ModelError, match=said) as caught:
        foundry._load(manager, Choice("nosuch", tmp_path, cached=False), joined=False)
    assert "network" in caught.value.fix


def test_a_model_is_not_fetched_where_that_was_not_wanted(own_cache: Path) -> None:
    """Its size is said instead, and what brings it."""
    listed = SimpleNamespace(
        alias="a", variants=[], is_cached=False, info=SimpleNamespace(file_size_mb=3686), download=pytest.fail
    )
    manager = cast("FoundryLocalManager", SimpleNamespace(catalog=SimpleNamespace(list_models=lambda: [listed])))
    with pytest.raises(ModelError, match=r"a is not on this machine yet \(3686 MB\)") as caught:
        foundry._load(manager, Choice("a", own_cache, cached=False), joined=False, fetch=False)
    assert "python lab.py serve" in caught.value.fix


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_the_catalog_that_has_nothing_says_404(method: str) -> None:
    """However it is asked."""
    address = f"http://127.0.0.1:{foundry._no_catalog().server_port}/models"
    assert httpx2.request(method, address, trust_env=False).status_code == 404
    foundry._end_no_catalog()
    with pytest.raises(httpx2.ConnectError):
        httpx2.request(method, address, trust_env=False)


@pytest.mark.parametrize("name", [None, EMBEDDED.alias, EMBEDDED.name, EMBEDDED.id, EMBEDDED.alias.title()])
def test_embedded_model_is_chosen(own_cache: Path, name: str | None) -> None:
    """By any of its names, and where nothing was chosen and phi-4-mini is not here."""
    assert choose(own_cache, name) == Choice(EMBEDDED.alias, layout.folder(own_cache), cached=False)


@pytest.mark.parametrize("name", [None, "phi-4-mini", PHI, f"{PHI}:1", "Phi-4-Mini"])
@pytest.mark.parametrize("place", ["course", "foundry"])
def test_catalog_model_that_is_here_is_chosen(own_cache: Path, tmp_path: Path, place: str, name: str | None) -> None:
    """By any of its names, out of our own cache or that of Foundry Local's command line."""
    folder = own_cache / "catalog" if place == "course" else tmp_path / "home" / ".foundry" / "cache" / "models"
    catalog_model(folder)
    choice = choose(own_cache, name)
    assert (choice.folder, choice.cached) == (folder, True)


def test_model_that_is_listed_and_not_here(own_cache: Path) -> None:
    """A download that was cut off leaves the line and not the sign."""
    catalog_model(own_cache / "catalog")
    (own_cache / "catalog" / "Microsoft" / f"{PHI}-1" / "inference_model.json").unlink()
    assert choose(own_cache, None).alias == EMBEDDED.alias
    assert choose(own_cache, "phi-4-mini") == Choice("phi-4-mini", own_cache / "catalog", cached=False)


def test_other_models_do_not_stand_in(own_cache: Path) -> None:
    """Only phi-4-mini goes before the embedded model unasked."""
    catalog_model(own_cache / "catalog", "qwen-generic-cpu", "qwen")
    assert choose(own_cache, None).alias == EMBEDDED.alias
    assert choose(own_cache, "qwen").cached


@pytest.mark.parametrize("file", ["foundry.modelinfo.json", f"Microsoft/{PHI}-1/inference_model.json"])
@pytest.mark.parametrize(
    "content",
    ["", "null", "[]", '"text"', "{}", '{"models": null}', '{"models": ["x"]}', '{"models": [{"alias": "a"}]}'],
)
def test_files_in_a_form_that_we_do_not_know(own_cache: Path, file: str, content: str) -> None:
    """Other versions of Foundry Local write these files too; they hold nobody up."""
    catalog_model(own_cache / "catalog")
    (own_cache / "catalog" / file).write_text(content, encoding="utf-8")
    assert choose(own_cache, None).alias == EMBEDDED.alias
