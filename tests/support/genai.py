"""The tokenizer of the real runtime, through the C API of onnxruntime-genai."""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, byref, c_char_p, c_int32, c_size_t, c_void_p
from importlib.metadata import files
from typing import TYPE_CHECKING, Any

import foundry_local_sdk._native  # noqa: F401  (loads onnxruntime into the process, as the SDK does on each system)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PACKAGE, _NAME = "onnxruntime-genai-core", "onnxruntime-genai"
_SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")

# What each function returns and takes. A result that is not null holds an error.
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "OgaCreateModel": (c_void_p, [c_char_p, POINTER(c_void_p)]),
    "OgaCreateTokenizer": (c_void_p, [c_void_p, POINTER(c_void_p)]),
    "OgaCreateSequences": (c_void_p, [POINTER(c_void_p)]),
    "OgaTokenizerEncode": (c_void_p, [c_void_p, c_char_p, c_void_p]),
    "OgaTokenizerDecode": (c_void_p, [c_void_p, POINTER(c_int32), c_size_t, POINTER(c_void_p)]),
    "OgaSequencesGetSequenceCount": (c_size_t, [c_void_p, c_size_t]),
    "OgaSequencesGetSequenceData": (POINTER(c_int32), [c_void_p, c_size_t]),
    "OgaResultGetError": (c_char_p, [c_void_p]),
    "OgaDestroyModel": (None, [c_void_p]),
    "OgaDestroyTokenizer": (None, [c_void_p]),
    "OgaDestroySequences": (None, [c_void_p]),
    "OgaDestroyString": (None, [c_void_p]),
    "OgaDestroyResult": (None, [c_void_p]),
}


def _library() -> ctypes.CDLL:
    """The shared library of onnxruntime-genai, with its functions declared."""
    named = (file for file in files(_PACKAGE) or [] if file.name.split(".")[0].removeprefix("lib") == _NAME)
    library = ctypes.CDLL(str(next(file.locate() for file in named if _SUFFIX in file.suffixes)))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Tokenizer:
    """Encodes and decodes as the runtime does for the model in a folder. Close it after use."""

    def __init__(self, model_dir: Path) -> None:
        """Load the model, which the C API wants before its tokenizer."""
        self._library = _library()
        self._model, self._tokenizer = c_void_p(), c_void_p()
        self._call("OgaCreateModel", str(model_dir).encode(), byref(self._model))
        self._call("OgaCreateTokenizer", self._model, byref(self._tokenizer))

    def close(self) -> None:
        """Free the tokenizer and the model."""
        self._library.OgaDestroyTokenizer(self._tokenizer)
        self._library.OgaDestroyModel(self._model)

    def encode(self, text: str) -> list[int]:
        """The token ids of a text, which may not hold the character 0."""
        sequences = c_void_p()
        self._call("OgaCreateSequences", byref(sequences))
        try:
            self._call("OgaTokenizerEncode", self._tokenizer, text.encode(), sequences)
            count = self._library.OgaSequencesGetSequenceCount(sequences, 0)
            return list(self._library.OgaSequencesGetSequenceData(sequences, 0)[:count])
        finally:
            self._library.OgaDestroySequences(sequences)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some token ids."""
        text = c_void_p()
        self._call("OgaTokenizerDecode", self._tokenizer, (c_int32 * len(ids))(*ids), len(ids), byref(text))
        try:
            return ctypes.string_at(text).decode()
        finally:
            self._library.OgaDestroyString(text)

    def _call(self, name: str, *arguments: Any) -> None:
        error = getattr(self._library, name)(*arguments)
        if error:
            message = self._library.OgaResultGetError(error).decode()
            self._library.OgaDestroyResult(error)
            raise RuntimeError(message)
