"""`python -m skerry_runtime.golden_server FILE PORT`: golden samples next to a server that isn't Skerry's.

The file is written by `skerry_runtime.repository`. The agent asks for it once per revision, so this
keeps nothing in memory and imports no engine: it holds 20 MB.
"""

from __future__ import annotations

import shutil
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from skerry.engines.server import GOLDEN_PATH


class Handler(BaseHTTPRequestHandler):
    """Answers GET of `GOLDEN_PATH` with the file."""

    file: Path
    timeout = 10

    def do_GET(self) -> None:
        """Send the file."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Send what goes before the file."""
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if self.path != GOLDEN_PATH:
            self.send_error(HTTPStatus.NOT_FOUND, f"only {GOLDEN_PATH} is served here")
            return
        with self.file.open("rb") as samples:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(self.file.stat().st_size))
            self.end_headers()
            if with_body:
                shutil.copyfileobj(samples, self.wfile)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        """Say nothing: the kubelet and the agent know who asks."""


def main() -> None:
    """Serve until killed."""
    handler = type("FileHandler", (Handler,), {"file": Path(sys.argv[1])})
    ThreadingHTTPServer(("", int(sys.argv[2])), handler).serve_forever()


if __name__ == "__main__":
    main()
