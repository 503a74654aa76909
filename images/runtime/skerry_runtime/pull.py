"""`python -m skerry_runtime.pull HOST/REPOSITORY@sha256:... FOLDER`: what a kubelet does for an image volume.

For clusters without image volumes. The manifest is asked for by its digest and verified, each layer
is verified while it is read and unpacked in order; nothing is unpacked that isn't what its digest
says. A registry that is busy or away is asked again for some minutes, with the pauses that it asks for.
The standard library alone: this runs in the serving image, on the device.
Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

from skerry.artifacts.busy import BUSY, pause_asked
from skerry.artifacts.plain_files import unpack_plain_files

MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_BYTES = 4 * 2**20
CHUNK = 2**20
TOKEN_BYTES = 2**20
TIMEOUT_SECONDS = 60
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
_REFERENCE = re.compile(
    r"(?P<host>[^/\s]+)/(?P<repository>[^@\s]+)@(?P<digest>sha256:[0-9a-f]{64})"
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


class PullError(Exception):
    """The image can't be had as its digest says; the message is for people."""


@dataclass(frozen=True)
class Patience:
    """Seconds in which a request is tried again: after answers that say: later, and without an answer."""

    busy: float = 600.0
    away: float = 120.0

    def pause(self, error: OSError, tries: int, waited: float) -> float | None:
        """Return how long to wait before the next try; None when it is over, or of no use."""
        own = min(FIRST_PAUSE_SECONDS * 2.0**tries, LONGEST_PAUSE_SECONDS)
        if not isinstance(error, urllib.error.HTTPError):
            return own if waited < self.away else None
        asked = pause_asked(error.headers.get("Retry-After"), datetime.now(UTC)) or 0.0
        later = error.code in BUSY and waited < self.busy and asked <= self.busy
        return max(own, asked) if later else None


class _SameHostOnly(urllib.request.HTTPRedirectHandler):
    """Registries send blobs from elsewhere; credentials stay with the registry."""

    def redirect_request(self, *arguments: Any, **named: Any) -> urllib.request.Request | None:
        request = super().redirect_request(*arguments, **named)
        if request is not None:
            request.remove_header("Authorization")
        return request


@dataclass
class Registry:
    """One repository of a registry; `login` is "user:password" in base64, if any."""

    host: str
    repository: str
    insecure: bool = False
    login: str | None = None
    patience: Patience = Patience()
    _authorization: str | None = None
    _opener: Any = field(default_factory=lambda: urllib.request.build_opener(_SameHostOnly()))

    def get(self, kind: str, digest: str) -> IO[bytes]:
        """Open a manifest or blob.

        Raises:
            PullError: The registry does not answer, or refuses.
        """
        scheme = "http" if self.insecure else "https"
        url = f"{scheme}://{self.host}/v2/{self.repository}/{kind}/{digest}"
        try:
            return self._open(url)
        except urllib.error.HTTPError as error:
            if error.code != 401:  # noqa: PLR2004 - Unauthorized
                raise PullError(
                    f"{url}: the registry answers {error.code} {error.reason}"
                ) from error
            self._authorize(error.headers.get("WWW-Authenticate", ""), url)
        except OSError as error:
            raise PullError(f"{url}: {error}") from error
        try:
            return self._open(url)
        except OSError as error:
            raise PullError(f"{url}: {error} (are the pull credentials right?)") from error

    def _open(self, url: str) -> IO[bytes]:
        """Ask until there is an answer other than: later."""
        begun, tries = time.monotonic(), 0
        while True:
            try:
                return self._open_once(url)
            except OSError as error:
                pause = self.patience.pause(error, tries, time.monotonic() - begun)
                if pause is None:
                    raise
                sys.stderr.write(f"pull: {url}: {error}; again in {pause:.0f} s\n")
            time.sleep(pause)
            tries += 1

    def _open_once(self, url: str) -> IO[bytes]:
        headers = {"Accept": ", ".join(MANIFEST_TYPES)} if "/manifests/" in url else {}
        if self._authorization:
            headers["Authorization"] = self._authorization
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - http(s), as made above
        opened: IO[bytes] = self._opener.open(request, timeout=TIMEOUT_SECONDS)
        return opened

    def _authorize(self, challenge: str, url: str) -> None:
        """Take what the registry asks for: the login itself, or a token for it."""
        basic = f"Basic {self.login}" if self.login else None
        if not challenge.lower().startswith("bearer"):
            self._authorization = basic
            return
        asked = dict(_CHALLENGE.findall(challenge))
        query = urlencode({k: v for k, v in asked.items() if k in ("service", "scope")})
        headers = {"Authorization": basic} if basic else {}
        realm = asked.get("realm", "")
        if not realm.startswith(("https://", "http://" if self.insecure else "https://")):
            raise PullError(f"{url}: the registry sends for a token to {realm!r}")
        request = urllib.request.Request(f"{realm}?{query}", headers=headers)  # noqa: S310
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                token = json.loads(answer.read(TOKEN_BYTES))
        except (OSError, ValueError, RecursionError) as error:
            raise PullError(f"{realm}: no token for {url}: {error}") from error
        self._authorization = f"Bearer {token.get('token') or token.get('access_token')}"


def pull(
    reference: str,
    folder: Path,
    *,
    insecure_host: str = "",
    secrets: Path | None = None,
    patience: Patience = Patience(),
) -> None:
    """Pull an image by digest and unpack its layers into `folder`.

    Raises:
        PullError: It is not there, not what the digest says, or not to be unpacked.
    """
    parts = _REFERENCE.fullmatch(reference)
    if parts is None:
        raise PullError(f"{reference} is no image by digest (HOST/REPOSITORY@sha256:...)")
    host = parts["host"]
    repository = re.sub(r":[^:/]*$", "", parts["repository"])
    login = _login(host, secrets)
    registry = Registry(host, repository, host == insecure_host, login, patience)
    manifest = _manifest(registry, parts["digest"])
    for layer in manifest["layers"]:
        with tempfile.TemporaryFile(dir=folder) as file:
            _fetch(registry, layer["digest"], file)
            _unpack(file, folder, layer["digest"])


def _manifest(registry: Registry, digest: str) -> dict[str, Any]:
    with registry.get("manifests", digest) as answer:
        content = answer.read(MANIFEST_BYTES)
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise PullError(f"{registry.host}/{registry.repository}: the manifest is not {digest}")
    manifest: dict[str, Any] = json.loads(content)
    if "manifests" not in manifest:
        return manifest
    machine = _ARCHITECTURES.get(os.uname().machine, os.uname().machine)
    for entry in manifest["manifests"]:
        if entry.get("platform", {}).get("architecture") == machine:
            return _manifest(registry, entry["digest"])
    raise PullError(f"{registry.host}/{registry.repository}@{digest} has no image for {machine}")


def _fetch(registry: Registry, digest: str, file: IO[bytes]) -> None:
    found = hashlib.sha256()
    try:
        with registry.get("blobs", digest) as answer:
            while chunk := answer.read(CHUNK):
                found.update(chunk)
                file.write(chunk)
    except (OSError, HTTPException) as error:
        raise PullError(
            f"{registry.host}/{registry.repository}: {digest} broke off: {error}"
        ) from error
    if f"sha256:{found.hexdigest()}" != digest:
        raise PullError(
            f"{registry.host}/{registry.repository}: a layer is sha256:{found.hexdigest()},"
            f" not {digest}: the registry's copy or the way from it is broken"
        )
    file.seek(0)


def _unpack(file: IO[bytes], folder: Path, digest: str) -> None:
    try:
        with tarfile.open(fileobj=file) as archive:
            unpack_plain_files(archive, folder)
    except (tarfile.TarError, OSError) as error:
        raise PullError(f"layer {digest} can't be unpacked into {folder}: {error}") from error


def _login(host: str, secrets: Path | None) -> str | None:
    """Return the login for a host out of the mounted docker configurations."""
    for file in sorted(secrets.glob("*/config.json")) if secrets else ():
        entry = json.loads(file.read_text()).get("auths", {}).get(host, {})
        if entry.get("auth"):
            return str(entry["auth"])
        if entry.get("username"):
            both = f"{entry['username']}:{entry.get('password', '')}"
            return base64.b64encode(both.encode()).decode()
    return None


def main() -> int:
    """Pull as the command line says; returns the exit code."""
    reference, folder = sys.argv[1], Path(sys.argv[2])
    secrets = os.environ.get("SKERRY_PULL_SECRETS")
    insecure = os.environ.get("SKERRY_INSECURE_REGISTRY", "")
    for left in folder.iterdir():  # a container that was started again begins from scratch
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    try:
        pull(reference, folder, insecure_host=insecure, secrets=Path(secrets) if secrets else None)
    except PullError as error:
        sys.stderr.write(f"pull: {error}\n")
        return 1
    sys.stderr.write(f"pull: {reference} lies in {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
