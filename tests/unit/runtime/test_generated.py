"""The committed messages are those of the .proto next to them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import skerry_runtime

PACKAGE = Path(skerry_runtime.__file__).parent
_DESCRIPTOR = re.compile(r"AddSerializedFile\((.*)\)")


def descriptor(file: Path) -> str:
    """Return the part that doesn't depend on the compiler's version."""
    found = _DESCRIPTOR.search(file.read_text())
    assert found
    return found[1]


def test_messages_are_up_to_date(tmp_path: Path) -> None:
    proto = f"{PACKAGE.name}/open_inference.proto"
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--python_out={tmp_path}", proto]
    subprocess.run(command, cwd=PACKAGE.parent, check=True)
    made = descriptor(tmp_path / PACKAGE.name / "open_inference_pb2.py")
    assert descriptor(PACKAGE / "open_inference_pb2.py") == made, "run `make protos`"
