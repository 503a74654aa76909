"""ONNX Runtime's errors, in a line."""

from __future__ import annotations

import re

from skerry.engines import first_line

_PREAMBLE = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from \S+ failed: ?|This is an invalid model\. "
    r"|Non-zero status code returned while running "
)


def reason_of(error: BaseException) -> str:
    """Return the telling part of an error: without its code, and without the file, which whoever asks knows."""
    return _PREAMBLE.sub("", first_line(error)) or type(error).__name__
