"""A tag becomes a digest, and a digest its content, by the OCI distribution protocol.

What the operator pins here is what jobs and kubelets mount; they verify it against the digest. The
registry may be anybody's: its answers are read up to a bound and never unpacked, and it can send the
operator neither to another host nor, for a token, to an address inside the cluster.
Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx

from skerry.artifacts.addresses import may_send_to, never_answers
from skerry.artifacts.busy import may_pass, pause_asked
from skerry.artifacts.kits import is_kit
from skerry.errors import SkerryError

REQUEST_TIMEOUT_SECONDS = 10.0
ANSWER_SECONDS = 30.0
"""For one question, with its token and redirects."""
BLOB_SECONDS = 300.0
MANIFEST_BYTES = 4 * 2**20
TOKEN_BYTES = 2**20
MOST_REDIRECTS = 3
_MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_TOKEN = re.compile(r"[!-~]+")
_REDIRECTS = (301, 302, 303, 307, 308)
_LATER = "it is asked again by itself"
_TO_BE_READ = (
    "make the image readable without credentials, name a Secret (credentialsSecretName), or pin its digest"
    " in the spec (digest: sha256:...)"
)


class RegistryError(SkerryError):
    """A reference that cannot be resolved.

    Args:
        what: what went wrong, in one sentence without a full stop.
        where: the reference.
        todo: what to do about it.
        passing: whether it may pass by itself.
        retry_after: seconds for which the registry asks to be left alone, if it says so.
    """

    def __init__(
        self,
        what: str,
        where: str,
        todo: str,
        *,
        passing: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what, where, todo)
        self.passing = passing
        self.retry_after = retry_after


@dataclass(frozen=True)
class _Answer:
    """An answer, read to its end."""

    status: int
    headers: httpx.Headers
    content: bytes


@dataclass(frozen=True)
class _Question:
    """What is asked, and in what bounds.

    Attributes:
        host: of the registry.
        path: below /v2/.
        uri: for messages.
        most_bytes: of the answer.
        elsewhere: whether the registry may send it to another host: to where its blobs lie.
        authorization: header, once there is a token.
    """

    host: str
    path: str
    uri: str
    most_bytes: int = MANIFEST_BYTES
    elsewhere: bool = False
    authorization: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Resolved:
    """What a reference names now.

    Attributes:
        digest: of its manifest, sha256:...
        is_kit: whether it is a model artifact, which no kubelet can mount.
    """

    digest: str
    is_kit: bool = False


@dataclass(frozen=True)
class _Hold:
    """A registry that asked to be left alone; `until` is the loop's time."""

    what: str
    until: float


class Registry:
    """Resolves references; plain HTTP is spoken with `insecure_host` alone."""

    def __init__(self, client: httpx.AsyncClient, insecure_host: str | None = None) -> None:
        self._client = client
        self._insecure_host = insecure_host
        self._holds: dict[str, _Hold] = {}

    async def resolve(self, uri: str) -> Resolved:
        """Return what `oci://HOST/REPOSITORY[:TAG][@sha256:...]` names now.

        Raises:
            RegistryError: with what a person can do about it.
        """
        host, repository, reference = split(uri)
        question = _Question(host, f"{repository}/manifests/{reference}", uri)
        answer = _good(await self._ask(question), uri)
        digest = reference if ":" in reference else _digest(answer, uri)
        try:
            return Resolved(digest, is_kit(_parsed(answer.content, uri)))
        except RegistryError:
            # Kubelets will say what they make of it.
            return Resolved(digest)

    async def find(self, image: str) -> tuple[str, dict[str, Any]] | None:
        """Return the digest and the manifest of HOST/REPOSITORY:TAG; None when there is no such tag.

        Raises:
            RegistryError: with what a person can do about it.
        """
        host, repository, tag = split(image)
        answer = await self._ask(_Question(host, f"{repository}/manifests/{tag}", image))
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        content = _good(answer, image).content
        return f"sha256:{hashlib.sha256(content).hexdigest()}", _parsed(content, image)

    async def manifest(self, image: str) -> dict[str, Any]:
        """Return the manifest of HOST/REPOSITORY@sha256:...

        Raises:
            RegistryError: with what a person can do about it.
        """
        host, repository, digest = _pinned(image)
        question = _Question(host, f"{repository}/manifests/{digest}", image)
        return _parsed(_good(await self._ask(question), image).content, image)

    async def blob(self, image: str, digest: str, most_bytes: int) -> bytes:
        """Return a layer of HOST/REPOSITORY@..., checked against its digest.

        Raises:
            RegistryError: also when it is larger than `most_bytes` or not what its digest says.
        """
        host, repository, _ = _pinned(image)
        question = _Question(
            host, f"{repository}/blobs/{digest}", image, most_bytes, elsewhere=True
        )
        answer = _good(await self._ask(question, BLOB_SECONDS), image)
        if f"sha256:{hashlib.sha256(answer.content).hexdigest()}" != digest:
            raise RegistryError(f"layer {digest} is damaged", image, "push the image again")
        return answer.content

    async def _ask(self, question: _Question, seconds: float = ANSWER_SECONDS) -> _Answer:
        """Ask one question, with an anonymous token where the registry requires one, within the time limit."""
        self._check_hold(question)
        try:
            async with asyncio.timeout(seconds):
                answer = await self._follow(question)
                if answer.status == HTTPStatus.UNAUTHORIZED:
                    token = await self._anonymous_token(answer, question)
                    header = {"Authorization": f"Bearer {token}"}
                    answer = await self._follow(replace(question, authorization=header))
        except TimeoutError as error:
            what = f"cannot reach the registry: no answer within {seconds:.0f} s"
            raise RegistryError(what, question.uri, _LATER, passing=True) from error
        self._check_busy(answer, question)
        return answer

    async def _follow(self, question: _Question) -> _Answer:
        """Ask one question and follow redirects, within limits."""
        scheme = "http" if question.host == self._insecure_host else "https"
        url = _url(f"{scheme}://{question.host}/v2/{question.path}", question.uri)
        accept = {"Accept": ", ".join((*_MEDIA_TYPES, "*/*"))}
        headers = accept | question.authorization
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._once(url, question, headers)
            if answer.status not in _REDIRECTS:
                return answer
            target = url.join(_url(answer.headers.get("location", ""), question.uri))
            if _origin(target) != _origin(url):
                if not question.elsewhere or target.scheme != "https":
                    raise RegistryError(
                        f"the registry sends to {target.netloc.decode(errors='replace')}",
                        question.uri,
                        "name the image by that host, or pin its digest in the spec",
                    )
                headers = accept  # a token is for the registry that it was fetched for
            url = target
        raise RegistryError(
            f"the registry redirects more than {MOST_REDIRECTS} times",
            question.uri,
            "look at the registry's log",
        )

    async def _once(self, url: httpx.URL, question: _Question, headers: dict[str, str]) -> _Answer:
        """Send one request; read its answer up to the limit without unpacking it."""
        try:
            async with self._client.stream(
                "GET",
                url,
                headers={"Accept-Encoding": "identity", **headers},
                timeout=REQUEST_TIMEOUT_SECONDS,
                follow_redirects=False,
            ) as answer:
                content = bytearray()
                async for chunk in answer.aiter_raw():
                    content += chunk
                    if len(content) > question.most_bytes:
                        raise _too_large(question)
                return _Answer(answer.status_code, answer.headers, bytes(content))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise _unreached(error, question.uri) from error

    async def _anonymous_token(self, refusal: _Answer, question: _Question) -> str:
        """Return a pull token without credentials, as public registries hand out."""
        challenge = dict(_CHALLENGE.findall(refusal.headers.get("www-authenticate", "")))
        if "realm" not in challenge:
            raise _refused(question.uri)
        realm = self._realm(challenge["realm"], question)
        asked = {key: challenge[key] for key in ("service", "scope") if key in challenge}
        bounded = replace(question, most_bytes=TOKEN_BYTES)
        answer = await self._once(realm.copy_merge_params(asked), bounded, {})
        self._check_busy(answer, question)
        if may_pass(answer.status):
            raise _busy(answer, question)
        if answer.status != HTTPStatus.OK:
            raise _refused(question.uri)
        body = _parsed(answer.content, question.uri)
        token = body.get("token") or body.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise _refused(question.uri)
        return token

    def _realm(self, named: str, question: _Question) -> httpx.URL:
        """Return the address where the registry sends clients for a token, if it may be asked."""
        schemes = ("http", "https") if question.host == self._insecure_host else ("https",)
        own = httpx.URL(f"https://{question.host}").host
        try:
            realm = httpx.URL(named)
        except (httpx.InvalidURL, ValueError):
            realm = httpx.URL()
        if realm.scheme not in schemes or not may_send_to(own, realm.host):
            what = f"the registry sends for a token to {named!r}, which is not asked"
            raise RegistryError(what, question.uri, _TO_BE_READ)
        return realm

    def _check_hold(self, question: _Question) -> None:
        """Ask nothing of a registry that asked to be left alone, for whatever image it was."""
        hold = self._holds.get(question.host)
        if hold is None:
            return
        left = hold.until - asyncio.get_running_loop().time()
        if left > 0:
            raise RegistryError(hold.what, question.uri, _LATER, passing=True, retry_after=left)
        del self._holds[question.host]

    def _check_busy(self, answer: _Answer, question: _Question) -> None:
        """Note a registry that asks to be left alone.

        Raises:
            RegistryError: it does.
        """
        pause = pause_asked(answer.headers.get("retry-after"), datetime.now(UTC))
        if not may_pass(answer.status) or not pause:
            return
        error = _busy(answer, question)
        until = asyncio.get_running_loop().time() + pause
        self._holds[question.host] = _Hold(error.what, until)
        raise error


def split(uri: str) -> tuple[str, str, str]:
    """Return host, repository and tag or digest of `[oci://]HOST[:PORT]/REPOSITORY[:TAG][@sha256:...]`.

    Of both the digest counts; with neither, it is the tag latest.
    """
    place, _, digest = uri.rpartition("://")[2].partition("@")
    host, _, rest = place.partition("/")
    repository, _, tag = rest.partition(":")
    return host, repository, digest or tag or "latest"


def _pinned(image: str) -> tuple[str, str, str]:
    """Return host, repository and digest of HOST[:PORT]/REPOSITORY@sha256:..."""
    place, _, digest = image.partition("@")
    host, _, repository = place.partition("/")
    return host, repository, digest


def _url(text: str, uri: str) -> httpx.URL:
    """Parse an address from a spec or an answer.

    Raises:
        RegistryError: it is none.
    """
    try:
        return httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise _unreached(error, uri) from error


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _parsed(content: bytes, uri: str) -> dict[str, Any]:
    """Parse an answer's JSON object."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RegistryError("the registry's answer is no JSON object", uri, "is it a registry?")
    return found


def _good(answer: _Answer, uri: str) -> _Answer:
    """Return the answer; raise unless it is a success."""
    if answer.status == HTTPStatus.NOT_FOUND:
        raise RegistryError(
            "the registry has no such image or tag", uri, "check the name, or push it"
        )
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise _refused(uri)
    if may_pass(answer.status):
        raise RegistryError(_words(answer), uri, _LATER, passing=True)
    if answer.status != HTTPStatus.OK:
        raise RegistryError(_words(answer), uri, f"look at the registry's log; {_LATER}")
    return answer


def _busy(answer: _Answer, question: _Question) -> RegistryError:
    pause = pause_asked(answer.headers.get("retry-after"), datetime.now(UTC))
    return RegistryError(_words(answer), question.uri, _LATER, passing=True, retry_after=pause)


def _words(answer: _Answer) -> str:
    """Return the status as the registry gave it, and how long the registry asks clients to wait."""
    asked = pause_asked(answer.headers.get("retry-after"), datetime.now(UTC))
    pause = f" and asks for a pause of {asked:.0f} s" if asked else ""
    return f"the registry answered {answer.status}{pause}"


def _digest(answer: _Answer, uri: str) -> str:
    digest = answer.headers.get("docker-content-digest", "")
    if not _DIGEST.match(digest):
        raise RegistryError(
            "the registry named no sha256 digest (header Docker-Content-Digest)",
            uri,
            "pin the digest in the spec: digest: sha256:...",
        )
    return str(digest)


def _too_large(question: _Question) -> RegistryError:
    what = f"the registry's answer is larger than {question.most_bytes} bytes"
    return RegistryError(what, question.uri, "is it a registry, and was this made by Skerry?")


def _unreached(error: Exception, uri: str) -> RegistryError:
    passing = isinstance(error, httpx.HTTPError) and not (
        isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError))
        or never_answers(error)
    )
    return RegistryError(
        f"cannot reach the registry: {error or type(error).__name__}",
        uri,
        "check the host name, and whether the registry speaks HTTPS"
        " (plain HTTP needs the chart's registry.insecure)",
        passing=passing,
    )


def _refused(uri: str) -> RegistryError:
    return RegistryError("the registry requires credentials", uri, _TO_BE_READ)
