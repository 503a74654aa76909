"""One file of a web server, by ranges: RFC 9110, sections 13 and 14.

It is looked at with a GET of its first byte: servers that sign an address for GET refuse a HEAD, and
the answer says whether ranges work. A download continues where it broke off (`Range`), but only of the
same version (`If-Range`); a server without ranges is asked for all of it again.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import httpx

from skerry.api.artifact import scheme_of
from skerry.api.reasons import FetchRefusal
from skerry_fetcher.credentials import Credentials
from skerry_fetcher.errors import RefusedError, of_connection, of_status
from skerry_fetcher.listing import Listing, RemoteFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.jobs.plans import FetchPlan
    from skerry.jobs.scratch import Workspace
    from skerry_fetcher.sink import Sink

TIMEOUT = httpx.Timeout(60.0, connect=10.0)
"""Seconds between two bytes, and to connect."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class WebFile:
    """The file of an https (or http) uri."""

    def __init__(self, plan: FetchPlan, workspace: Workspace) -> None:
        """Read the credentials; nothing is sent yet."""
        credentials = Credentials.of(plan, workspace)
        credentials.check(("token",), ("username", "password"))
        self._uri, self._secret = plan.uri, credentials.secret
        # In a header, which a redirect to another host loses; httpx would send `auth` along.
        headers = {"Accept-Encoding": "identity", **_authorization(credentials)}
        self._client = httpx.Client(
            headers=headers, verify=credentials.trust(), timeout=TIMEOUT, follow_redirects=True
        )
        self._where = plan.uri.partition("?")[0]

    def look(self) -> Listing:
        """Return the file's size and version."""
        with self._asked({"Range": "bytes=0-0"}) as answer:
            name = PurePosixPath(unquote(urlsplit(self._uri).path)).name
            file = RemoteFile(name=name, size=_size(answer), validator=_validator(answer))
        resolved = file.validator or answer.headers.get("Last-Modified", "")
        return Listing(files=(file,), resolved=resolved)

    def fetch(self, file: RemoteFile, sink: Sink) -> None:
        """Ask for what is missing."""
        if sink.is_complete:
            return
        headers = {}
        if sink.offset and file.validator:
            headers = {"Range": f"bytes={sink.offset}-", "If-Range": file.validator}
        with self._asked(headers) as answer:
            if file.validator and _validator(answer) != file.validator:
                raise RefusedError(
                    FetchRefusal.CHANGED, f"{self._where}: it changed while it was fetched"
                )
            if answer.status_code != HTTPStatus.PARTIAL_CONTENT:
                sink.restart()
            for chunk in answer.iter_raw():
                sink.write(chunk)

    @contextmanager
    def _asked(self, headers: dict[str, str]) -> Iterator[httpx.Response]:
        try:
            with self._client.stream("GET", self._uri, headers=headers) as answer:
                self._check(answer)
                yield answer
        except (httpx.TransportError, httpx.TooManyRedirects) as error:
            raise of_connection(error, self._where) from error

    def _check(self, answer: httpx.Response) -> None:
        if scheme_of(self._uri) == "https" and answer.url.scheme != "https":
            raise RefusedError(
                FetchRefusal.NOT_TRUSTED,
                f"{self._where}: it redirects to an address without TLS; name an https address that"
                " doesn't",
            )
        if not answer.is_success:
            raise of_status(answer.status_code, self._where, self._secret)


def _authorization(credentials: Credentials) -> dict[str, str]:
    token, user = credentials.get("token"), credentials.get("username")
    if token is not None:
        return {"Authorization": f"Bearer {token}"}
    if user is None:
        return {}
    basic = httpx.BasicAuth(user, credentials.get("password") or "")
    flow = basic.sync_auth_flow(httpx.Request("GET", "https://unused"))
    return {"Authorization": next(flow).headers["Authorization"]}


def _size(answer: httpx.Response) -> int | None:
    if answer.status_code == HTTPStatus.PARTIAL_CONTENT:
        match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        return int(match[2]) if match and match[2] != "*" else None
    length = answer.headers.get("Content-Length")
    return int(length) if length else None


def _validator(answer: httpx.Response) -> str:
    """Return a strong ETag; a weak one does not promise the same bytes (RFC 9110, 8.8.3)."""
    tag: str = answer.headers.get("ETag", "")
    return "" if tag.startswith("W/") else tag
