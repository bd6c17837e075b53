"""A Llama in numpy, in float32 and straight from a GGUF file: what the repacked model is measured against.

It shares nothing with `labkit._smollm.repack`. Rows of q and k stay as GGUF orders them, so that a head's numbers
turn in neighbouring pairs; the repacked model turns halves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gguf.quants import dequantize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gguf import GGUFReader
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


class Llama:
    """Evaluates whole texts, each position from the ones up to it."""

    def __init__(self, reader: GGUFReader) -> None:
        self._tensors = {tensor.name: tensor for tensor in reader.tensors}

        def field(name: str) -> Any:
            return reader.fields[f"llama.{name}"].contents()

        self._layers: int = field("block_count")
        self._heads: int = field("attention.head_count")
        self._groups: int = field("attention.head_count_kv")
        self._width: int = field("rope.dimension_count")
        self._base: float = field("rope.freq_base")
        self._epsilon: float = field("attention.layer_norm_rms_epsilon")

    def log_probabilities(self, texts: Sequence[Sequence[int]]) -> list[Floats]:
        """For each text, a row for each position: the log of the probability of every token to come next."""
        table = self._weight("token_embd")
        states = [table[list(ids)] for ids in texts]
        for layer in range(self._layers):
            weights = {name: self._weight(f"blk.{layer}.{name}") for name in _LAYER}
            states = [self._layer(state, weights) for state in states]
        norm = self._weight("output_norm")
        return [_log_softmax(self._norm(state, norm) @ table.T) for state in states]

    def _weight(self, name: str) -> Floats:
        tensor = self._tensors[f"{name}.weight"]
        return dequantize(tensor.data, tensor.tensor_type).astype(np.float32)

    def _layer(self, state: Floats, weights: dict[str, Floats]) -> Floats:
        state = state + self._attention(self._norm(state, weights["attn_norm"]), weights)
        inner = self._norm(state, weights["ffn_norm"])
        gate = inner @ weights["ffn_gate"].T
        gated = gate / (1 + np.exp(-gate)) * (inner @ weights["ffn_up"].T)
        result: Floats = state + gated @ weights["ffn_down"].T
        return result

    def _norm(self, state: Floats, weight: Floats) -> Floats:
        mean = np.mean(state * state, axis=-1, keepdims=True)
        result: Floats = state / np.sqrt(mean + np.float32(self._epsilon)) * weight
        return result

    def _attention(self, state: Floats, weights: dict[str, Floats]) -> Floats:
        length = len(state)
        query = self._turn((state @ weights["attn_q"].T).reshape(length, self._heads, self._width))
        key = self._turn((state @ weights["attn_k"].T).reshape(length, self._groups, self._width))
        value = (state @ weights["attn_v"].T).reshape(length, self._groups, self._width)
        future = np.triu(np.full((length, length), -np.inf, np.float32), 1)
        mixed = np.empty_like(query)
        for head in range(self._heads):
            group = head * self._groups // self._heads
            scores = query[:, head] @ key[:, group].T / np.float32(np.sqrt(self._width)) + future
            mixed[:, head] = np.exp(_log_softmax(scores)) @ value[:, group]
        return mixed.reshape(length, -1) @ weights["attn_output"].T

    def _turn(self, heads: Floats) -> Floats:
        """Turn the pairs (0, 1), (2, 3), ... of each head by an angle that grows with the position."""
        speed = self._base ** (-np.arange(0, self._width, 2) / self._width)
        angle = np.arange(len(heads))[:, None, None] * speed
        cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        even, odd = heads[..., 0::2], heads[..., 1::2]
        return np.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1).reshape(heads.shape)


_LAYER = (
    "attn_norm",
    "attn_q",
    "attn_k",
    "attn_v",
    "attn_output",
    "ffn_norm",
    "ffn_gate",
    "ffn_up",
    "ffn_down",
)


def _log_softmax(scores: Floats) -> Floats:
    shifted: Floats = scores - scores.max(axis=-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result
