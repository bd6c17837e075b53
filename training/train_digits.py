"""Train the network that reads handwritten digits: `python training/train_digits.py`.

Writes three files beside the page that uses them, all or none: the network (digits.onnx), what is known of it
(digits.json), and 64 images to try it on (samples.json). A few minutes on two cores; `training/README.md` says more.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import math
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from labkit.errors import LabError
from training import mnist

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

PAGE = Path(__file__).resolve().parents[1] / "apps" / "webgpu"
SEED, EPOCHS, BATCH, HIGHEST_RATE = 2026, 6, 100, 0.01
# These last images of the training part are never trained on: an accuracy after each epoch, with the test left alone.
HELD_BACK = 5_000
REQUIRED = 0.99
OPSET, INPUT, OUTPUT = 20, "image", "logits"
SAMPLES = 64


def network() -> nn.Sequential:
    """Three convolutions and one layer that weighs what they found; pixels go in as they are, from 0 to 1."""
    return nn.Sequential(
        *convolution(1, 16, padding=1),
        nn.MaxPool2d(2),
        *convolution(16, 32, padding=1),
        nn.MaxPool2d(2),
        *convolution(32, 36, padding=0),
        nn.Flatten(),
        nn.Linear(36 * 5 * 5, 10),
    )


def convolution(channels_in: int, channels_out: int, padding: int) -> tuple[nn.Module, ...]:
    """A convolution of 3 x 3 pixels, its batch normalisation, and Relu."""
    weights = nn.Conv2d(channels_in, channels_out, 3, padding=padding, bias=False)
    return weights, nn.BatchNorm2d(channels_out), nn.ReLU()


def distort(images: torch.Tensor) -> torch.Tensor:
    """Each digit with another pen and a little turned, scaled and moved.

    A digit that is drawn with a mouse and then centred as MNIST's are is never quite so thick, so sharp or so placed.
    """
    return move(redraw(images))


def redraw(images: torch.Tensor) -> torch.Tensor:
    """With strokes thicker or thinner, and softer."""
    n = len(images)
    # The darkest and the lightest of the 3 x 3 pixels around each.
    thick, thin = functional.max_pool2d(images, 3, 1, 1), -functional.max_pool2d(-images, 3, 1, 1)
    pen, softness = between(-0.5, 0.8, n, 1, 1, 1), between(0, 0.6, n, 1, 1, 1)
    images = torch.where(pen > 0, images.lerp(thick, pen.clamp(min=0)), images.lerp(thin, -pen.clamp(max=0)))
    return images.lerp(functional.avg_pool2d(images, 3, 1, 1), softness)


def move(images: torch.Tensor) -> torch.Tensor:
    """Turned by up to 14 degrees, scaled by up to 15 %, moved by up to 2 pixels."""
    n = len(images)
    angle, scale = between(-14, 14, n).deg2rad(), between(0.85, 1.15, n)
    right, down = between(-2, 2, 2, n) / (mnist.SIDE / 2)  # the grid runs from -1 to 1
    cos, sin = angle.cos() / scale, angle.sin() / scale
    back = torch.stack([cos, -sin, right, sin, cos, down], dim=1).reshape(n, 2, 3)
    grid = functional.affine_grid(back, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def between(low: float, high: float, *shape: int) -> torch.Tensor:
    """Random numbers from `low` to `high`."""
    return low + (high - low) * torch.rand(shape)


def pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Images as the network takes them: [n, 1, 28, 28], 0 for paper and 1 for ink."""
    return images[:, np.newaxis].astype(np.float32) / np.float32(255)


def train(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> nn.Sequential:
    """A network trained on all images but those held back, with a line about each epoch."""
    torch.manual_seed(SEED)
    torch.set_num_threads(2)  # as many as the recorded run had: sums in another order have other last digits
    x, y = torch.from_numpy(pixels(images)), torch.from_numpy(labels.astype(np.int64))
    net, n = network(), len(x) - HELD_BACK
    steps = math.ceil(n / BATCH)
    optimizer = torch.optim.AdamW(net.parameters())
    pace = torch.optim.lr_scheduler.OneCycleLR(optimizer, HIGHEST_RATE, total_steps=EPOCHS * steps)
    for epoch in range(EPOCHS):
        start, losses = time.perf_counter(), 0.0
        net.train()
        for chosen in torch.randperm(n).split(BATCH):
            loss = functional.cross_entropy(net(distort(x[chosen])), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            pace.step()
            losses += loss.item()
        net.eval()
        with torch.no_grad():
            held = (net(x[n:]).argmax(dim=1) == y[n:]).double().mean().item()
        print(
            f"epoch {epoch + 1} of {EPOCHS}: loss {losses / steps:.4f}, {100 * held:.2f} % of the "
            f"{HELD_BACK:,} digits held back are right, {time.perf_counter() - start:.0f} s",
            flush=True,
        )
    return net


def export(net: nn.Sequential) -> onnx.ModelProto:
    """The network as ONNX for any number of images, with nothing in it about the machine that made it."""
    example = torch.zeros(2, 1, mnist.SIDE, mnist.SIDE)  # one image alone would make 1 a constant
    # torch speaks here of its own affairs: that there is no torchvision, and that it calls what it is to call no more.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        program = torch.onnx.export(
            folded(net),
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=OPSET,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    # The exporter notes at each node and value the line of Python that it comes from, with its path.
    graph = model.graph
    noted: list[Any] = [model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output]
    for part in noted:
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    graph.ClearField("value_info")
    return model


def folded(net: nn.Sequential) -> nn.Sequential:
    """The same network with each normalisation worked into the convolution before it."""
    layers: list[nn.Module] = []
    for layer in net:
        if isinstance(layer, nn.BatchNorm2d):
            before = layers[-1]
            assert isinstance(before, nn.Conv2d)
            layers[-1] = fuse_conv_bn_eval(before, layer)
        else:
            layers.append(layer)
    return nn.Sequential(*layers).eval()


def count_right(model: bytes, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> int:
    """How many images the exported file names as their labels do, run as the page and the notebook run it."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (logits,) = session.run([OUTPUT], {INPUT: pixels(images)})
    return int((logits.argmax(axis=1) == labels).sum())


def describe(model: onnx.ModelProto, data: bytes, right: int, tested: int) -> dict[str, Any]:
    """What is known of the network, for the page, the notebook and the tests."""
    weights = [tensor for tensor in model.graph.initializer if tensor.data_type == tensor.FLOAT]
    return {
        "file": "digits.onnx",
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "opset": OPSET,
        "parameters": sum(math.prod(tensor.dims) for tensor in weights),
        "input": {"name": INPUT, "type": "float32", "shape": ["batch", 1, mnist.SIDE, mnist.SIDE]},
        "output": {"name": OUTPUT, "type": "float32", "shape": ["batch", 10]},
        "test": {"images": tested, "right": right, "accuracy": right / tested},
        "training": {
            "package": mnist.PACKAGE.name,
            "version": mnist.PACKAGE.version,
            "images": mnist.PARTS["train"][1] - HELD_BACK,
            "epochs": EPOCHS,
            "seed": SEED,
            "torch": torch.__version__,
        },
    }


def main() -> int:
    """Train, export, test, and only then write."""
    try:
        train_images, train_labels = mnist.load("train")
        test_images, test_labels = mnist.load("test")
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    start = time.perf_counter()
    model = export(train(train_images, train_labels))
    data = model.SerializeToString(deterministic=True)
    right, tested = count_right(data, test_images, test_labels), len(test_labels)
    print(f"{right:,} of {tested:,} test digits are right, after {time.perf_counter() - start:.0f} s")
    if right < REQUIRED * tested:
        print(f"error: at least {100 * REQUIRED:.0f} % are required, so nothing was written", file=sys.stderr)
        return 1
    samples = {
        "labels": test_labels[:SAMPLES].tolist(),
        "pixels": base64.b64encode(test_images[:SAMPLES].tobytes()).decode(),
    }
    PAGE.mkdir(parents=True, exist_ok=True)
    (PAGE / "digits.onnx").write_bytes(data)
    (PAGE / "digits.json").write_bytes(to_json(describe(model, data, right, tested), indent=2))
    (PAGE / "samples.json").write_bytes(to_json(samples))
    print(f"wrote digits.onnx ({len(data):,} bytes), digits.json and samples.json")
    return 0


def to_json(value: object, indent: int | None = None) -> bytes:
    """JSON with a last newline, the same bytes on every system."""
    return (json.dumps(value, indent=indent) + "\n").encode()


if __name__ == "__main__":
    sys.exit(main())
