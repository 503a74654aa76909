"""`python3 -m homemade.server PORT --model FILE --name=NAME`: serves a model by the protocol Plain.

POST /mode with a word says how it answers from then on: right, wrong, slow (429) or leaving (503).
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from homemade.code import Model, load  # type: ignore[import-not-found,unused-ignore] # where it is installed

STATUSES = {"slow": 429, "leaving": 503}


class Handler(BaseHTTPRequestHandler):
    """One model, one mode."""

    model: Model
    name: str
    mode = "right"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer the probe."""
        self._answer(200 if self.path == "/ping" else 404, {})

    def do_POST(self) -> None:
        """Compute, or change the mode."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/mode":
            type(self).mode = body.decode()
            self._answer(200, {})
        elif self.path != f"/ask/{self.name}":
            self._answer(404, {})
        elif self.mode in STATUSES:
            self._answer(STATUSES[self.mode], {})
        else:
            self._answer(200, {"said": self._compute(json.loads(body)["ask"])})

    def _compute(self, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
        inputs = {
            one["tensor"]: np.array(one["numbers"], np.float32).reshape(one["shape"])
            for one in asked
        }
        names = [spec.name for spec in self.model.outputs]
        sign = -1 if self.mode == "wrong" else 1
        return [
            {"tensor": name, "shape": list(array.shape), "numbers": (sign * array).ravel().tolist()}
            for name, array in zip(names, self.model.run(names, inputs), strict=True)
        ]

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        """Say nothing."""


def main() -> None:
    """Serve until killed."""
    parser = ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--name", required=True)
    options = parser.parse_args()
    content = {"model": load(options.model, 1), "name": options.name}
    handler = type("ModelHandler", (Handler,), content)
    ThreadingHTTPServer(("127.0.0.1", options.port), handler).serve_forever()


if __name__ == "__main__":
    main()
