"""A tag becomes a digest, and a digest its content, by the OCI distribution protocol.

What the operator pins here is what jobs and kubelets mount; they verify it against the digest.
Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
"""

from __future__ import annotations

import hashlib
import json
import re
from http import HTTPStatus
from typing import Any

import httpx

from skerry.errors import SkerryError

REQUEST_TIMEOUT_SECONDS = 10.0
_MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class RegistryError(SkerryError):
    """A reference that cannot be resolved."""


class Registry:
    """Resolves references; plain HTTP is spoken with `insecure_host` alone."""

    def __init__(self, client: httpx.AsyncClient, insecure_host: str | None = None) -> None:
        self._client = client
        self._insecure_host = insecure_host

    async def resolve(self, uri: str) -> str:
        """The digest (sha256:...) that `oci://HOST/REPOSITORY[:TAG]` names now.

        Raises:
            RegistryError: with what a person can do about it.
        """
        host, repository, tag = split(uri)
        path = f"{repository}/manifests/{tag}"
        return _digest(await self._ask("HEAD", host, path, uri), uri)

    async def find(self, image: str) -> tuple[str, dict[str, Any]] | None:
        """The digest and the manifest of HOST/REPOSITORY:TAG; None when there is no such tag.

        Raises:
            RegistryError: with what a person can do about it.
        """
        host, repository, tag = split(image)
        answer = await self._ask("GET", host, f"{repository}/manifests/{tag}", image)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        content = _good(answer, image).content
        parsed: dict[str, Any] = json.loads(content)
        return f"sha256:{hashlib.sha256(content).hexdigest()}", parsed

    async def manifest(self, image: str) -> dict[str, Any]:
        """The manifest of HOST/REPOSITORY@sha256:...

        Raises:
            RegistryError: with what a person can do about it.
        """
        host, repository, digest = _pinned(image)
        answer = _good(
            await self._ask("GET", host, f"{repository}/manifests/{digest}", image), image
        )
        parsed: dict[str, Any] = json.loads(answer.content)
        return parsed

    async def blob(self, image: str, digest: str, most_bytes: int) -> bytes:
        """A layer of HOST/REPOSITORY@..., checked against its digest.

        Raises:
            RegistryError: also when it is larger than `most_bytes` or not what its digest says.
        """
        host, repository, _ = _pinned(image)
        answer = _good(await self._ask("GET", host, f"{repository}/blobs/{digest}", image), image)
        if len(answer.content) > most_bytes:
            raise RegistryError(
                f"layer {digest} is larger than {most_bytes} bytes", image, "was it made by Skerry?"
            )
        if f"sha256:{hashlib.sha256(answer.content).hexdigest()}" != digest:
            raise RegistryError(f"layer {digest} is damaged", image, "push the image again")
        return answer.content

    async def _ask(self, method: str, host: str, path: str, uri: str) -> httpx.Response:
        """One request, with an anonymous token where the registry wants one."""
        scheme = "http" if host == self._insecure_host else "https"
        url = f"{scheme}://{host}/v2/{path}"
        answer = await self._once(method, url, uri)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            token = await self._anonymous_token(answer, uri)
            answer = await self._once(method, url, uri, {"Authorization": f"Bearer {token}"})
        return answer

    async def _once(
        self, method: str, url: str, uri: str, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        try:
            return await self._client.request(
                method,
                url,
                headers={"Accept": ", ".join((*_MEDIA_TYPES, "*/*")), **(headers or {})},
                timeout=REQUEST_TIMEOUT_SECONDS,
                follow_redirects=True,
            )
        except httpx.HTTPError as error:
            raise RegistryError(
                f"cannot reach the registry: {error or type(error).__name__}",
                uri,
                "check the host name, and whether the registry speaks HTTPS"
                " (plain HTTP needs the chart's registry.insecure)",
            ) from error

    async def _anonymous_token(self, refusal: httpx.Response, uri: str) -> str:
        """A pull token without credentials, as public registries hand out."""
        challenge = dict(_CHALLENGE.findall(refusal.headers.get("www-authenticate", "")))
        realm = challenge.pop("realm", None)
        if realm is None:
            raise _refused(uri)
        try:
            answer = await self._client.get(
                realm, params=challenge, timeout=REQUEST_TIMEOUT_SECONDS
            )
            answer.raise_for_status()
            body = answer.json()
            return str(body.get("token") or body["access_token"])
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise _refused(uri) from error


def split(uri: str) -> tuple[str, str, str]:
    """Host, repository and tag of `oci://HOST[:PORT]/REPOSITORY[:TAG]`; the tag defaults to latest."""
    host, _, rest = uri.removeprefix("oci://").partition("/")
    repository, _, tag = rest.partition(":")
    return host, repository, tag or "latest"


def _pinned(image: str) -> tuple[str, str, str]:
    """Host, repository and digest of HOST[:PORT]/REPOSITORY@sha256:..."""
    place, _, digest = image.partition("@")
    host, _, repository = place.partition("/")
    return host, repository, digest


def _good(answer: httpx.Response, uri: str) -> httpx.Response:
    """The answer, which must be a success."""
    if answer.status_code == HTTPStatus.NOT_FOUND:
        raise RegistryError(
            "the registry has no such image or tag", uri, "check the name, or push it"
        )
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise _refused(uri)
    if answer.status_code != HTTPStatus.OK:
        raise RegistryError(
            f"the registry answered {answer.status_code}",
            uri,
            "look at the registry's log; it is tried again",
        )
    return answer


def _digest(answer: httpx.Response, uri: str) -> str:
    digest = _good(answer, uri).headers.get("docker-content-digest", "")
    if not _DIGEST.match(digest):
        raise RegistryError(
            "the registry named no sha256 digest (header Docker-Content-Digest)",
            uri,
            "pin the digest in the spec: digest: sha256:...",
        )
    return str(digest)


def _refused(uri: str) -> RegistryError:
    return RegistryError(
        "the registry wants credentials",
        uri,
        "make the image readable without them, or pin its digest in the spec (digest: sha256:...)",
    )
