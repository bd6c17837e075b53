"""The committed network for handwritten digits: what is said of it holds. And MNIST, read with its headers checked.

None of this needs torch; `python training/train_digits.py`, which makes the files, does.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest

from coursekit.webgpu import npm
from labkit.errors import FetchError
from tests.conftest import CACHE, ROOT
from tests.support.places import PLACES
from training import mnist

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PAGE = ROOT / "apps" / "webgpu"
MODEL = PAGE / "digits.onnx"
# What onnxruntime-web has on WebGPU and on WASM alike.
OPERATORS = {"Conv", "Relu", "MaxPool", "Reshape", "Gemm"}
TEN = bytes((0, 0, 8, 1, 0, 0, 0x27, 0x10))  # the header of 10,000 labels


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    """What digits.json says of the network."""
    return dict(json.loads((PAGE / "digits.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    """The network's own file."""
    return onnx.load(MODEL)


def seen(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The digit that the network sees in each image."""
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"image": images[:, np.newaxis].astype(np.float32) / np.float32(255)})
    found: NDArray[np.int64] = logits.argmax(axis=1)
    return found


def value(info: onnx.ValueInfoProto) -> dict[str, Any]:
    """An input or output of a network, as digits.json writes it."""
    tensor = info.type.tensor_type
    kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    return {"name": info.name, "type": kind, "shape": [axis.dim_param or axis.dim_value for axis in tensor.shape.dim]}


def test_the_file_is_the_one_described(said: dict[str, Any]) -> None:
    data = MODEL.read_bytes()
    assert said["file"] == MODEL.name
    assert (said["sha256"], said["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))


def test_the_network_is_the_one_described(model: onnx.ModelProto, said: dict[str, Any]) -> None:
    onnx.checker.check_model(model, full_check=True)
    assert [(system.domain, system.version) for system in model.opset_import] == [("", said["opset"])]
    assert [value(info) for info in model.graph.input] == [said["input"]]
    assert [value(info) for info in model.graph.output] == [said["output"]]
    weights = [tensor for tensor in model.graph.initializer if tensor.data_type == tensor.FLOAT]
    assert sum(math.prod(tensor.dims) for tensor in weights) == said["parameters"]


def test_the_page_can_run_it(model: onnx.ModelProto) -> None:
    assert {node.op_type for node in model.graph.node} <= OPERATORS
    assert not any(tensor.external_data for tensor in model.graph.initializer)  # one file is all


def test_the_network_says_nothing_of_the_machine_that_made_it(model: onnx.ModelProto) -> None:
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        assert (part.doc_string, list(part.metadata_props)) == ("", [])
    for path in (MODEL, PAGE / "digits.json"):
        assert PLACES.findall(path.read_text(encoding="latin-1")) == []


def test_what_is_said_of_its_making(said: dict[str, Any]) -> None:
    assert said["training"]["package"] == mnist.PACKAGE.name
    assert said["training"]["version"] == mnist.PACKAGE.version
    assert said["test"]["accuracy"] == said["test"]["right"] / said["test"]["images"]


@pytest.mark.parametrize("n", [1, 3])
def test_any_number_of_images(n: int) -> None:
    assert seen(np.zeros((n, 28, 28), np.uint8)).shape == (n,)


def test_the_samples_are_recognised() -> None:
    samples = json.loads((PAGE / "samples.json").read_text(encoding="utf-8"))
    images = np.frombuffer(base64.b64decode(samples["pixels"], validate=True), np.uint8).reshape(64, 28, 28)
    labels = np.array(samples["labels"])
    assert labels.shape == (64,)
    assert set(labels) == set(range(10))
    assert np.sum(seen(images) == labels) >= 62


@pytest.mark.e2e
def test_accuracy_is_the_one_said(said: dict[str, Any]) -> None:
    images, labels = mnist.load("test", CACHE)
    right = int(np.sum(seen(images) == labels))
    assert (right, len(labels)) == (said["test"]["right"], said["test"]["images"])
    assert said["test"]["accuracy"] >= 0.99


@pytest.mark.e2e
def test_the_samples_are_the_first_of_the_test_part() -> None:
    images, labels = mnist.load("test", CACHE)
    samples = json.loads((PAGE / "samples.json").read_text(encoding="utf-8"))
    assert samples["labels"] == labels[:64].tolist()
    assert base64.b64decode(samples["pixels"]) == images[:64].tobytes()


@pytest.mark.e2e
def test_the_training_part() -> None:
    images, labels = mnist.load("train", CACHE)
    assert images.shape == (60_000, 28, 28)
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


@pytest.fixture
def package(own_cache: Path) -> Path:
    """A folder as the package's own: nothing is fetched. Its test part is right, but all paper and all noughts."""
    place = npm.folder(mnist.PACKAGE, own_cache)
    place.mkdir(parents=True)
    for file in mnist.PACKAGE.files:
        (place / file.rpartition("/")[2]).touch()
    sizes = bytes((0, 0, 0x27, 0x10, 0, 0, 0, 28, 0, 0, 0, 28))
    (place / "t10k-images-idx3-ubyte").write_bytes(bytes((0, 0, 8, 3)) + sizes + bytes(10_000 * 28 * 28))
    (place / "t10k-labels-idx1-ubyte").write_bytes(TEN + bytes(10_000))
    return place


@pytest.mark.usefixtures("package")
def test_load_reads_a_part() -> None:
    images, labels = mnist.load("test")
    assert (images.shape, labels.shape) == ((10_000, 28, 28), (10_000,))
    assert (images.dtype.name, labels.dtype.name) == ("uint8", "uint8")


LABELS, IMAGES = "t10k-labels-idx1-ubyte", "t10k-images-idx3-ubyte"


@pytest.mark.parametrize(
    ("file", "data", "what"),
    [
        pytest.param(LABELS, b"", "does not begin", id="empty"),
        pytest.param(LABELS, TEN[:5], "does not begin", id="broken off in the header"),
        pytest.param(LABELS, TEN + bytes(9_999), "has 10007 bytes, not 10008", id="truncated"),
        pytest.param(LABELS, TEN + bytes(10_001), "has 10009 bytes, not 10008", id="too long"),
        pytest.param(LABELS, b"\x1f\x8b" + TEN[2:] + bytes(10_000), "does not begin", id="wrong magic"),
        pytest.param(LABELS, bytes((0, 0, 13, 1)) + TEN[4:] + bytes(10_000), "does not begin", id="floats"),
        pytest.param(LABELS, bytes((0, 0, 8, 1, 0, 0, 0x27, 0x0F)) + bytes(9_999), "does not begin", id="fewer labels"),
        pytest.param(IMAGES, TEN + bytes(10_000), "does not begin", id="labels as images"),
    ],
)
def test_load_refuses_a_damaged_file(package: Path, file: str, data: bytes, what: str) -> None:
    (package / file).write_bytes(data)
    with pytest.raises(FetchError, match=f"^{file} of .* is damaged: it {what}") as caught:
        mnist.load("test")
    assert str(package) in caught.value.fix
