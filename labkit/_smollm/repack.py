"""Repack a Llama-type GGUF file as an ONNX model that onnxruntime-genai, and so Foundry Local, runs.

The graph follows the layout that onnxruntime-genai's own model builder gives a Llama: fused q, k and v,
`GroupQueryAttention` with the rotary embedding inside, weights in blocks of 32 for `MatMulNBits`.
Operators are described in onnxruntime's docs/ContribOperators.md, the GGUF blocks in ggml's quants.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from gguf import GGUFReader
from gguf.quants import dequantize
from onnx import TensorProto, helper

from labkit._smollm import runtime_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BLOCK = 32
_MICROSOFT = "com.microsoft"
_WEIGHTS = "model.onnx.data"
_ALIGN = 4096


@dataclass(frozen=True)
class Shape:
    """The sizes of a Llama-type model, as its GGUF header states them."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    vocabulary: int
    context: int
    rope_base: float
    epsilon: float

    @property
    def head_size(self) -> int:
        """Numbers in one attention head."""
        return self.hidden // self.heads

    @classmethod
    def read(cls, reader: GGUFReader) -> Shape:
        """The shape that a GGUF header states."""

        def value(key: str) -> Any:
            return reader.fields[f"llama.{key}"].contents()

        return cls(
            layers=value("block_count"),
            hidden=value("embedding_length"),
            heads=value("attention.head_count"),
            kv_heads=value("attention.head_count_kv"),
            vocabulary=value("vocab_size"),
            context=value("context_length"),
            rope_base=value("rope.freq_base"),
            epsilon=value("attention.layer_norm_rms_epsilon"),
        )


def repack(source: Path, target: Path) -> None:
    """Write the files of one model folder, as the runtime wants them, from the GGUF file `source` into `target`."""
    reader = GGUFReader(source)
    shape = Shape.read(reader)
    _Graph(reader, shape, target).write()
    _write_json(target / "genai_config.json", runtime_files.genai_config(reader, shape))
    _write_json(target / "tokenizer.json", runtime_files.tokenizer(reader))
    _write_json(target / "tokenizer_config.json", runtime_files.tokenizer_config(reader, shape))
    template = reader.fields["tokenizer.chat_template"].contents()
    (target / "chat_template.jinja").write_text(template, encoding="utf-8", newline="\n")


def unpermute(weight: np.ndarray, heads: int) -> np.ndarray:
    """Undo the order in which GGUF stores the rows of q and k: pairs side by side, where ONNX wants halves."""
    rows, columns = weight.shape
    pairs = weight.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns)


def quantize(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eight bits, symmetric, in blocks of 32 along the columns: (uint8 around 128, one float32 scale a block).

    Four bits would halve the file, but the weights have a minimum a block (Q4_1) that no 4-bit kernel
    of onnxruntime keeps both exactly and fast.
    """
    blocks = weight.reshape(weight.shape[0], -1, BLOCK)
    scale = np.abs(blocks).max(axis=2) / 127
    steps = np.rint(blocks / np.where(scale == 0, 1, scale)[:, :, None])
    return (steps + 128).astype(np.uint8), scale.astype(np.float32)


def split_q8(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Q8_0 rows (float16 scale and 32 int8 a block) in the form of `quantize`, exactly."""
    blocks = raw.reshape(raw.shape[0], -1, BLOCK + 2)
    scale = blocks[:, :, :2].copy().view(np.float16)[:, :, 0]
    return blocks[:, :, 2:] ^ np.uint8(128), scale.astype(np.float32)


class _Graph:
    """Collects nodes and weights, then writes `model.onnx` and the weights beside it."""

    def __init__(self, reader: GGUFReader, shape: Shape, target: Path) -> None:
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        self.shape = shape
        self.target = target
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.offset = 0

    def write(self) -> None:
        with (self.target / _WEIGHTS).open("wb") as self.file:
            inputs, outputs = self._body()
        graph = helper.make_graph(self.nodes, "llama", inputs, outputs, self.initializers)
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid(_MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="labkit")
        (self.target / "model.onnx").write_bytes(model.SerializeToString())

    def _body(self) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
        shape = self.shape
        inputs = [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "sequence"]),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "total"]),
        ]
        outputs = [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1, shape.vocabulary]),
            helper.make_tensor_value_info("hidden_states", TensorProto.FLOAT, ["batch", "sequence", shape.hidden]),
        ]
        self._lengths()
        self._rotary_caches()
        table = self._embedding()
        residual, state = "embedded", self._norm("blk.0.attn_norm", "embedded")
        for layer in range(shape.layers):
            for list_, prefix, length in ((inputs, "past_key_values", "past"), (outputs, "present", "total")):
                sizes: list[str | int | None] = ["batch", shape.kv_heads, length, shape.head_size]
                for part in ("key", "value"):
                    name = f"{prefix}.{layer}.{part}"
                    list_.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes))
            attended = self._attention(layer, state)
            state, residual = self._skip_norm(f"blk.{layer}.ffn_norm", residual, attended)
            moved = self._feed_forward(layer, state)
            last = layer + 1 == shape.layers
            norm = "output_norm" if last else f"blk.{layer + 1}.attn_norm"
            state, residual = self._skip_norm(norm, residual, moved, "hidden_states" if last else "")
        self._head(state, table)
        return inputs, outputs

    def _lengths(self) -> None:
        """From the mask, what GroupQueryAttention asks for: last position a row, and the whole length."""
        self._tensor("axis_1", np.array([1], np.int64))
        self._tensor("one", np.array([1], np.int64))
        self._tensor("index_1", np.array(1, np.int64))
        self._node("ReduceSum", ["attention_mask", "axis_1"], ["mask_sum"], keepdims=0)
        self._node("Sub", ["mask_sum", "one"], ["last_position"])
        self._node("Cast", ["last_position"], ["seqlens_k"], to=TensorProto.INT32)
        self._node("Shape", ["attention_mask"], ["mask_shape"])
        self._node("Gather", ["mask_shape", "index_1"], ["total_length"], axis=0)
        self._node("Cast", ["total_length"], ["total_sequence_length"], to=TensorProto.INT32)

    def _rotary_caches(self) -> None:
        size = self.shape.head_size
        frequency = 1.0 / self.shape.rope_base ** (np.arange(0, size, 2, dtype=np.float64) / size)
        angle = np.outer(np.arange(self.shape.context), frequency)
        self._tensor("cos_cache", np.cos(angle).astype(np.float32))
        self._tensor("sin_cache", np.sin(angle).astype(np.float32))

    def _embedding(self) -> tuple[str, str]:
        """Look tokens up; returns the names of the blocks and scales, which the head shares."""
        raw = self.tensors["token_embd.weight"].data
        blocks, scale = split_q8(raw)
        self._tensor("embedding.blocks", blocks)
        self._tensor("embedding.scale", scale)
        flat = onnx.TensorProto()
        flat.CopyFrom(next(t for t in self.initializers if t.name == "embedding.blocks"))
        flat.name = "embedding.rows"
        del flat.dims[:]
        flat.dims.extend([self.shape.vocabulary, self.shape.hidden])
        self.initializers.append(flat)
        self._node(
            "GatherBlockQuantized",
            ["embedding.rows", "input_ids", "embedding.scale"],
            ["embedded"],
            domain=_MICROSOFT,
            bits=8,
            block_size=BLOCK,
            gather_axis=0,
            quantize_axis=1,
        )
        return "embedding.blocks", "embedding.scale"

    def _attention(self, layer: int, state: str) -> str:
        shape, name = self.shape, f"layer.{layer}"
        query = unpermute(self._weight(f"blk.{layer}.attn_q"), shape.heads)
        key = unpermute(self._weight(f"blk.{layer}.attn_k"), shape.kv_heads)
        qkv = np.concatenate([query, key, self._weight(f"blk.{layer}.attn_v")])
        past = [f"past_key_values.{layer}.{part}" for part in ("key", "value")]
        present = [f"present.{layer}.{part}" for part in ("key", "value")]
        packed = self._matmul(f"{name}.qkv", state, quantize(qkv))
        lengths = ["seqlens_k", "total_sequence_length", "cos_cache", "sin_cache"]
        self._node(
            "GroupQueryAttention",
            [packed, "", "", *past, *lengths],
            [f"{name}.heads", *present],
            domain=_MICROSOFT,
            num_heads=shape.heads,
            kv_num_heads=shape.kv_heads,
            scale=shape.head_size**-0.5,
            do_rotary=1,
            rotary_interleaved=0,
        )
        return self._matmul(f"{name}.o", f"{name}.heads", quantize(self._weight(f"blk.{layer}.attn_output")))

    def _feed_forward(self, layer: int, state: str) -> str:
        name = f"layer.{layer}"
        gate = self._matmul(f"{name}.gate", state, quantize(self._weight(f"blk.{layer}.ffn_gate")))
        up = self._matmul(f"{name}.up", state, quantize(self._weight(f"blk.{layer}.ffn_up")))
        self._node("Sigmoid", [gate], [f"{name}.sigmoid"])
        self._node("Mul", [gate, f"{name}.sigmoid"], [f"{name}.silu"])
        self._node("Mul", [f"{name}.silu", up], [f"{name}.gated"])
        return self._matmul(f"{name}.down", f"{name}.gated", quantize(self._weight(f"blk.{layer}.ffn_down")))

    def _head(self, state: str, table: tuple[str, str]) -> None:
        """Logits of the last position only: a long prompt would otherwise cost 200 KB a token."""
        self._tensor("last", np.array([-1], np.int64))
        self._node("Gather", [state, "last"], ["last_state"], axis=1)
        sizes = {"K": self.shape.hidden, "N": self.shape.vocabulary}
        self._matmul_node("last_state", table, "logits", sizes)

    def _norm(self, weight: str, state: str) -> str:
        self._tensor(weight, self._weight(weight))
        self._node(
            "SimplifiedLayerNormalization",
            [state, weight],
            [f"{weight}.out"],
            axis=-1,
            epsilon=self.shape.epsilon,
            stash_type=1,
        )
        return f"{weight}.out"

    def _skip_norm(self, weight: str, residual: str, change: str, out: str = "") -> tuple[str, str]:
        self._tensor(weight, self._weight(weight))
        outputs = [out or f"{weight}.out", "", "", f"{weight}.sum"]
        self._node(
            "SkipSimplifiedLayerNormalization",
            [residual, change, weight],
            outputs,
            domain=_MICROSOFT,
            epsilon=self.shape.epsilon,
        )
        return outputs[0], outputs[3]

    def _matmul(self, name: str, state: str, packed: tuple[np.ndarray, np.ndarray]) -> str:
        blocks, scale = packed
        self._tensor(f"{name}.blocks", blocks)
        self._tensor(f"{name}.scale", scale)
        sizes = {"K": blocks.shape[1] * BLOCK, "N": blocks.shape[0]}
        self._matmul_node(state, (f"{name}.blocks", f"{name}.scale"), name, sizes)
        return name

    def _matmul_node(self, state: str, table: tuple[str, str], out: str, sizes: dict[str, int]) -> None:
        self._node(
            "MatMulNBits",
            [state, *table],
            [out],
            domain=_MICROSOFT,
            bits=8,
            block_size=BLOCK,
            accuracy_level=4,
            **sizes,
        )

    def _weight(self, name: str) -> np.ndarray:
        tensor = self.tensors[f"{name}.weight"]
        return dequantize(tensor.data, tensor.tensor_type)

    def _node(self, op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> None:
        self.nodes.append(helper.make_node(op, inputs, outputs, name=f"{op}:{outputs[0]}", **attributes))

    def _tensor(self, name: str, value: np.ndarray) -> None:
        """Keep small tensors in the graph, put large ones into the file beside it."""
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        if value.nbytes < _ALIGN:
            self.initializers.append(helper.make_tensor(name, kind, value.shape, value.tobytes(), raw=True))
            return
        tensor = TensorProto(name=name, data_type=kind, dims=value.shape, data_location=TensorProto.EXTERNAL)
        entries = {"location": _WEIGHTS, "offset": str(self.offset), "length": str(value.nbytes)}
        for key, text in entries.items():
            tensor.external_data.add(key=key, value=text)
        self.initializers.append(tensor)
        padding = -value.nbytes % _ALIGN
        self.file.write(value.tobytes() + bytes(padding))
        self.offset += value.nbytes + padding


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8", newline="\n")
