"""The repacked model against its GGUF file: tokens, predictions, graph and packing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest
from gguf import GGMLQuantizationType, GGUFReader
from gguf.quants import dequantize
from tokenizers import Tokenizer

from labkit._smollm.repack import BLOCK, quantize, split_q8, unpermute
from tests.support import genai, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gguf import ReaderTensor
    from numpy.typing import NDArray

    Encodings = list[tuple[str, list[int]]]
    Evaluated = dict[str, tuple[list[int], NDArray[np.float32]]]

DATA = Path(__file__).parents[1] / "data"

# The vocabulary has no token for a byte of these characters. The reference drops the byte, the runtime writes -1.
WITHOUT_TOKEN = re.compile("[\x04\x06\x13\x14\x16\x1d\U00050000]")
# The runtime does not take the control character U+0085 for white space.
RUNTIME_DIFFERS = {"a \x85b": [81, 3351, 223, 82]}


@pytest.fixture(scope="session")
def encodings() -> Encodings:
    """Strings, and their tokens as llama.cpp reads them from the GGUF file."""
    pairs = json.loads((DATA / "tokenizer_reference.json").read_text(encoding="utf-8"))["encodings"]
    assert len({text for text, _ in pairs}) == len(pairs) >= 220
    return [(text, ids) for text, ids in pairs]


@pytest.fixture(scope="session")
def reader(gguf_file: Path) -> GGUFReader:
    """The GGUF file, read once: listing its vocabulary takes seconds."""
    return GGUFReader(gguf_file)


@pytest.fixture(scope="session")
def header(reader: GGUFReader) -> dict[str, Any]:
    """The fields of the GGUF file that hold one value each."""
    return {name: field.contents() for name, field in reader.fields.items() if len(field.data) == 1}


@pytest.fixture(scope="session")
def library_tokenizer(model_dir: Path) -> Tokenizer:
    """The model's tokenizer.json, as Hugging Face's tokenizers library reads it."""
    return Tokenizer.from_file(str(model_dir / "tokenizer.json"))


@pytest.fixture(scope="session")
def runtime_tokenizer(model_dir: Path) -> Iterator[genai.Tokenizer]:
    """The model's tokenizer.json, as the runtime reads it."""
    tokenizer = genai.Tokenizer(model_dir)
    yield tokenizer
    tokenizer.close()


@pytest.fixture(scope="session")
def graph(model_dir: Path) -> onnx.GraphProto:
    """The model's graph, without the weights in the file beside it."""
    return onnx.load(model_dir / "model.onnx", load_external_data=False).graph


@pytest.fixture(scope="session")
def session(model_dir: Path) -> onnxruntime.InferenceSession:
    """The model, ready to run."""
    return onnxruntime.InferenceSession(model_dir / "model.onnx", providers=["CPUExecutionProvider"])


@pytest.fixture(scope="session")
def evaluated(reader: GGUFReader, library_tokenizer: Tokenizer) -> Evaluated:
    """Some texts: the tokens of each, and the log probabilities that the reference gives the next ones."""
    texts = json.loads((DATA / "evaluation_texts.json").read_text(encoding="utf-8"))
    encoded = [library_tokenizer.encode(text).ids for text in texts.values()]
    wanted = reference.Llama(reader).log_probabilities(encoded)
    return dict(zip(texts, zip(encoded, wanted, strict=True), strict=True))


@pytest.mark.live
def test_library_gives_the_reference_tokens(encodings: Encodings, library_tokenizer: Tokenizer) -> None:
    """The tokenizers library reads every string as llama.cpp does."""
    assert _different(encodings, lambda text: library_tokenizer.encode(text).ids) == []


@pytest.mark.live
def test_runtime_gives_the_reference_tokens(encodings: Encodings, runtime_tokenizer: genai.Tokenizer) -> None:
    """The runtime reads every string as llama.cpp does, but for the known exceptions."""
    usual = [(text, ids) for text, ids in encodings if text not in RUNTIME_DIFFERS and not WITHOUT_TOKEN.search(text)]
    assert len(usual) >= 220
    assert _different(usual, runtime_tokenizer.encode) == []


@pytest.mark.live
def test_known_exceptions_of_the_runtime(encodings: Encodings, runtime_tokenizer: genai.Tokenizer) -> None:
    """What the runtime reads otherwise; a failure here may mean that a new version reads it right."""
    expected = dict(encodings)
    for text, ids in RUNTIME_DIFFERS.items():
        assert runtime_tokenizer.encode(text) == ids != expected[text]
    for text in filter(WITHOUT_TOKEN.search, expected):
        found = runtime_tokenizer.encode(text)
        assert -1 in found
        assert [number for number in found if number != -1] == expected[text]


@pytest.mark.live
def test_library_decodes_to_the_text(encodings: Encodings, library_tokenizer: Tokenizer) -> None:
    """Decoding gives each text back, special tokens included."""
    whole = [(text, ids) for text, ids in encodings if not WITHOUT_TOKEN.search(text)]
    assert [(library_tokenizer.decode(ids, skip_special_tokens=False), ids) for _, ids in whole] == whole


@pytest.mark.live
def test_runtime_decodes_to_the_text(
    encodings: Encodings, library_tokenizer: Tokenizer, runtime_tokenizer: genai.Tokenizer
) -> None:
    """Decoding gives each text back without its special tokens, or U+FFFD where it has no others."""
    special = [token.content for token in library_tokenizer.get_added_tokens_decoder().values()]
    assert len(special) == 17
    pattern = re.compile("|".join(map(re.escape, special)))
    for text, ids in encodings:
        if not WITHOUT_TOKEN.search(text):
            assert runtime_tokenizer.decode(ids) == (pattern.sub("", text) or "\ufffd" * bool(ids))


@pytest.mark.live
def test_predictions_follow_the_reference(evaluated: Evaluated, session: onnxruntime.InferenceSession) -> None:
    """Token after token, the next one is nearly always the reference's, and its distribution close."""
    _assert_close(evaluated, {name: _token_by_token(session, ids) for name, (ids, _) in evaluated.items()})


@pytest.mark.live
def test_hidden_states_follow_the_reference(
    evaluated: Evaluated, reader: GGUFReader, session: onnxruntime.InferenceSession
) -> None:
    """A text given at once has a hidden state for each position, which the embedding's rows turn into predictions."""
    tensor = _embedding(reader)
    table = dequantize(tensor.data, tensor.tensor_type)
    found = {}
    for name, (ids, _) in evaluated.items():
        logits, hidden = session.run(["logits", "hidden_states"], _inputs(session, ids, 0, _no_past(session)))
        assert hidden.shape == (1, len(ids), table.shape[1])
        assert logits.shape == (1, 1, len(table))
        assert np.corrcoef(logits[0, 0], table @ hidden[0, -1])[0, 1] > 0.999
        found[name] = _log_softmax(hidden[0] @ table.T)
    _assert_close(evaluated, found)


@pytest.mark.live
def test_graph_shares_the_embedding(graph: onnx.GraphProto) -> None:
    """The head multiplies by the very bytes that the embedding looks up, and takes the hidden states."""
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    (lookup,) = (node for node in graph.node if node.op_type == "GatherBlockQuantized")
    (head,) = (node for node in graph.node if "logits" in node.output)
    (last,) = (node for node in graph.node if head.input[0] in node.output)
    rows, blocks = initializers[lookup.input[0]], initializers[head.input[1]]
    assert lookup.input[2] == head.input[2]
    assert list(rows.external_data) == list(blocks.external_data) != []
    assert rows.dims == [blocks.dims[0], blocks.dims[1] * blocks.dims[2]]
    assert last.input[0] == "hidden_states"
    assert "hidden_states" in [output.name for output in graph.output]


@pytest.mark.live
def test_graph_follows_the_header(header: dict[str, Any], graph: onnx.GraphProto) -> None:
    """Layers, heads and the epsilon of the norms are those of the GGUF header."""
    attention = [_attributes(node) for node in graph.node if node.op_type == "GroupQueryAttention"]
    assert len(attention) == header["llama.block_count"]
    for found in attention:
        assert found["num_heads"] == header["llama.attention.head_count"]
        assert found["kv_num_heads"] == header["llama.attention.head_count_kv"]
        assert found["scale"] == pytest.approx(header["llama.rope.dimension_count"] ** -0.5)
    norms = [_attributes(node) for node in graph.node if "LayerNormalization" in node.op_type]
    assert len(norms) == 2 * len(attention) + 1
    assert {found["epsilon"] for found in norms} == {header["llama.attention.layer_norm_rms_epsilon"]}


@pytest.mark.live
def test_turning_of_positions(header: dict[str, Any], graph: onnx.GraphProto, model_dir: Path) -> None:
    """The caches of cosines and sines hold the angles that the header asks for, as far as the context reaches."""
    width, length = header["llama.rope.dimension_count"], header["llama.context_length"]
    for name, function in (("cos_cache", np.cos), ("sin_cache", np.sin)):
        (tensor,) = (tensor for tensor in graph.initializer if tensor.name == name)
        # Read here and not by onnx, which refuses a file that has several links, as the other tests give it.
        place = {entry.key: entry.value for entry in tensor.external_data}
        flat = np.fromfile(
            model_dir / place["location"], np.float32, int(place["length"]) // 4, offset=int(place["offset"])
        )
        cache = flat.reshape(tuple(tensor.dims))
        assert cache.shape == (length, width // 2)
        for position, pair in ((0, 0), (1, 0), (100, 1), (length - 1, 0), (length - 1, width // 2 - 1)):
            angle = position * header["llama.rope.freq_base"] ** (-2 * pair / width)
            assert cache[position, pair] == pytest.approx(function(angle), abs=1e-6)


@pytest.mark.live
def test_configuration_follows_the_header(header: dict[str, Any], model_dir: Path) -> None:
    """The runtime's configuration and the chat template are those of the GGUF header."""
    model = json.loads((model_dir / "genai_config.json").read_text(encoding="utf-8"))["model"]
    decoder = model["decoder"]
    assert model["bos_token_id"] == header["tokenizer.ggml.bos_token_id"]
    assert model["eos_token_id"] == header["tokenizer.ggml.eos_token_id"]
    assert model["pad_token_id"] == header["tokenizer.ggml.padding_token_id"]
    assert model["context_length"] == header["llama.context_length"]
    assert model["vocab_size"] == header["llama.vocab_size"]
    assert decoder["hidden_size"] == header["llama.embedding_length"]
    assert decoder["num_hidden_layers"] == header["llama.block_count"]
    assert decoder["num_attention_heads"] == header["llama.attention.head_count"]
    assert decoder["num_key_value_heads"] == header["llama.attention.head_count_kv"]
    assert decoder["head_size"] == header["llama.rope.dimension_count"]
    assert (model_dir / "chat_template.jinja").read_text(encoding="utf-8") == header["tokenizer.chat_template"]


def test_unpermute_gathers_halves() -> None:
    """Neighbouring rows of a head go to its two halves; heads stay apart."""
    rows = np.arange(16).reshape(8, 2)
    assert unpermute(rows, 1)[:, 0].tolist() == [0, 4, 8, 12, 2, 6, 10, 14]
    assert unpermute(rows, 2)[:, 0].tolist() == [0, 4, 2, 6, 8, 12, 10, 14]


@pytest.mark.parametrize("heads", [3, 9])
def test_unpermute_undoes_the_order_of_gguf(heads: int) -> None:
    """It is the inverse of what the conversion to GGUF does."""
    weight = np.random.default_rng(1).normal(size=(heads * 64, 5))
    stored = weight.reshape(heads, 2, 32, 5).swapaxes(1, 2).reshape(weight.shape)
    assert not np.array_equal(stored, weight)
    assert np.array_equal(unpermute(stored, heads), weight)


def test_quantize_rounds_to_the_nearest_step() -> None:
    """No number is further from its original than half a step of its own block."""
    weight = np.random.default_rng(2).normal(size=(6, 4 * BLOCK)).astype(np.float32)
    weight[:, :BLOCK] *= 1000
    blocks, scale = quantize(weight)
    assert blocks.dtype == np.uint8
    assert scale.dtype == np.float32
    assert blocks.shape == (6, 4, BLOCK)
    assert scale.shape == (6, 4)
    error = np.abs(_restored(blocks, scale) - weight).reshape(blocks.shape)
    assert np.all(error <= scale[:, :, None] * 0.5001)
    assert np.all(np.abs(blocks.astype(int) - 128).max(axis=2) == 127)


def test_quantize_keeps_whole_steps() -> None:
    """Numbers that are whole steps come back exactly, the largest of either sign among them."""
    steps = np.random.default_rng(3).integers(-127, 128, size=(5, 3 * BLOCK))
    steps[:, ::BLOCK] = np.array([127, -127, 127, -127, 127])[:, None]
    weight = (steps * 0.125).astype(np.float32)
    blocks, scale = quantize(weight)
    assert np.all(scale == 0.125)
    assert np.array_equal(blocks.astype(int).reshape(steps.shape) - 128, steps)
    assert np.array_equal(_restored(blocks, scale), weight)


def test_quantize_keeps_zeros() -> None:
    """A block of zeros stays zeros, without a warning and without a change to its neighbour."""
    weight = np.zeros((2, 2 * BLOCK), np.float32)
    weight[1, BLOCK:] = 1
    blocks, scale = quantize(weight)
    assert np.all(blocks[0] == 128)
    assert scale.tolist() == [[0, 0], [0, pytest.approx(1 / 127)]]
    assert _restored(blocks, scale)[:, :BLOCK].tolist() == [[0] * BLOCK] * 2
    assert _restored(blocks, scale)[1, BLOCK:] == pytest.approx(1)


def test_split_q8_reads_the_format() -> None:
    """A block is a float16 and 32 signed bytes, which move up by 128."""
    values = np.arange(-128, 128, 8, dtype=np.int8)
    raw = np.concatenate([np.array([0.5], np.float16).view(np.uint8), values.view(np.uint8)])[None]
    blocks, scale = split_q8(raw)
    assert blocks.dtype == np.uint8
    assert scale.dtype == np.float32
    assert blocks.tolist() == [[list(range(0, 256, 8))]]
    assert scale.tolist() == [[0.5]]
    assert np.array_equal(_restored(blocks, scale), dequantize(raw, GGMLQuantizationType.Q8_0))


@pytest.mark.live
def test_split_q8_is_exact(reader: GGUFReader) -> None:
    """The embedding comes out of it just as gguf reads it."""
    tensor = _embedding(reader)
    assert np.array_equal(_restored(*split_q8(tensor.data)), dequantize(tensor.data, tensor.tensor_type))


def _different(encodings: Encodings, encode: Callable[[str], list[int]]) -> list[tuple[str, list[int], list[int]]]:
    """Each string that `encode` reads otherwise, with the ids that it should have and those that it has."""
    found = [(text, ids, encode(text)) for text, ids in encodings]
    return [row for row in found if row[1] != row[2]]


def _restored(blocks: NDArray[np.uint8], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """The numbers that MatMulNBits makes of the packed ones."""
    numbers = (blocks.astype(np.float32) - 128) * scale[:, :, None]
    return numbers.reshape(len(blocks), -1)


def _assert_close(evaluated: Evaluated, found: dict[str, NDArray[np.float64]]) -> None:
    """Over all positions of all texts, hold log probabilities against those of the reference."""
    agreements, divergences = [], []
    for name, (ids, expected) in evaluated.items():
        agreement = expected.argmax(axis=1) == found[name].argmax(axis=1)
        divergence = (np.exp(expected) * (expected - found[name])).sum(axis=1)
        print(f"{name}: {len(ids)} tokens, agreement {agreement.mean():.3f}, divergence {divergence.mean():.4f}")
        agreements.append(agreement)
        divergences.append(divergence)
    assert np.concatenate(agreements).mean() >= 0.95
    assert np.concatenate(divergences).mean() <= 0.01


def _token_by_token(session: onnxruntime.InferenceSession, ids: list[int]) -> NDArray[np.float64]:
    """Log probabilities, a row for each position, with the keys and values of the tokens before fed back."""
    names = [output.name for output in session.get_outputs()]
    past, rows = _no_past(session), []
    for position, number in enumerate(ids):
        values = session.run(names, _inputs(session, [number], position, past))
        outputs = dict(zip(names, values, strict=True))
        past = {name: outputs[name.replace("past_key_values", "present")] for name in past}
        rows.append(outputs["logits"][0, -1])
    return _log_softmax(np.array(rows))


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Logarithms of the probabilities that logits stand for."""
    scores = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    result: NDArray[np.float64] = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return result


def _no_past(session: onnxruntime.InferenceSession) -> dict[str, Any]:
    """Keys and values before the first token: none."""
    past = [value for value in session.get_inputs() if value.name.startswith("past_key_values.")]
    return {value.name: np.zeros((1, value.shape[1], 0, value.shape[3]), np.float32) for value in past}


def _inputs(session: onnxruntime.InferenceSession, ids: list[int], before: int, past: dict[str, Any]) -> dict[str, Any]:
    """What the graph takes for some tokens that follow `before` others."""
    mask = np.ones((1, before + len(ids)), np.int64)
    inputs = {"input_ids": np.array([ids], np.int64), "attention_mask": mask, **past}
    assert inputs.keys() == {value.name for value in session.get_inputs()}
    return inputs


def _embedding(reader: GGUFReader) -> ReaderTensor:
    """The table of the embedding, as it is in the file."""
    (tensor,) = (tensor for tensor in reader.tensors if tensor.name == "token_embd.weight")
    return tensor


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes by name."""
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
