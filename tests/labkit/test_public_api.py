"""The names that a student types."""

from __future__ import annotations

import ast
import inspect

import pytest

import labkit


def test_names_are_complete_and_sorted() -> None:
    """What a type checker is shown, what is exported and what `dir` of a star import gives are the same."""
    tree = ast.parse(inspect.getsource(labkit))
    shown = [name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for name in node.names]
    assert labkit.__all__ == sorted(set(shown) - {"annotations", "TYPE_CHECKING", "Any"})


@pytest.mark.parametrize("name", labkit.__all__)
def test_name_is_there(name: str) -> None:
    """It is loaded when first used, and says what it is for."""
    assert inspect.getdoc(getattr(labkit, name))


def test_unknown_name() -> None:
    """A slip is told as any module tells it."""
    with pytest.raises(AttributeError, match="module 'labkit' has no attribute 'conect'"):
        _ = labkit.conect
