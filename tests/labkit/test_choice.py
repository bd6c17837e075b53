"""Which model is meant: by any of its names, and what stands on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labkit._smollm import embedded
from labkit.choice import Choice, choose
from tests.conftest import PHI, catalog_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", [None, embedded.ALIAS, embedded.NAME, embedded.MODEL_ID, embedded.ALIAS.title()])
def test_embedded_model_is_chosen(own_cache: Path, name: str | None) -> None:
    """By any of its names, and where nothing was chosen and phi-4-mini is not here."""
    assert choose(own_cache, name) == Choice(embedded.ALIAS, embedded.folder(own_cache), cached=False)


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
    assert choose(own_cache, None).alias == embedded.ALIAS
    assert choose(own_cache, "phi-4-mini") == Choice("phi-4-mini", own_cache / "catalog", cached=False)


def test_other_models_do_not_stand_in(own_cache: Path) -> None:
    """Only phi-4-mini goes before the embedded model unasked."""
    catalog_model(own_cache / "catalog", "qwen-generic-cpu", "qwen")
    assert choose(own_cache, None).alias == embedded.ALIAS
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
    assert choose(own_cache, None).alias == embedded.ALIAS
