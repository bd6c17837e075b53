"""Errors say what happened and how to fix it."""

from __future__ import annotations

import pickle

import pytest

from labkit import errors
from labkit.errors import LabError

# Apps and tests have kinds of their own, which may be loaded already.
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not LabError]


def test_the_text_contains_the_fix() -> None:
    """The notebook, the terminal and the app show one sentence."""
    error = LabError("Nothing listens", fix="python lab.py serve")
    assert (error.message, error.fix) == ("Nothing listens", "python lab.py serve")
    assert str(error) == "Nothing listens. Fix: python lab.py serve"
    assert str(LabError("The disk failed")) == "The disk failed"


def test_module_holds_one_tree() -> None:
    """Every error here is a LabError, and the picture at the top shows every one."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert all(issubclass(kind, LabError) for kind in kinds)
    assert [kind.__name__ for kind in kinds if kind.__name__ not in str(errors.__doc__)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_error_comes_whole_through_a_process_pool(kind: type[LabError]) -> None:
    """A worker process hands an error over by pickling it."""
    error = pickle.loads(pickle.dumps(kind("what", fix="fix")))
    assert type(error) is kind
    assert (error.message, error.fix) == ("what", "fix")
