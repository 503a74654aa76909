"""Python environments of the other servers: one for each, made once, outside of the checkout."""

from __future__ import annotations

import logging
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from tests.lab.toolchain import cache_root

log = logging.getLogger("benchmarks.serving")

OTHERS = Path(__file__).parent / "others"


def python_of(name: str) -> Path:
    """Return the interpreter of the environment that others/NAME.txt asks for, made if need be."""
    requirements = OTHERS / f"{name}.txt"
    key = sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = cache_root() / "benchmarks" / f"{name}-{key}"
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        log.info("making %s", folder)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)]
        subprocess.run(install, check=True)
        ready.touch()
    return python
