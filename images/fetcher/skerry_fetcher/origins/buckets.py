"""Objects of S3 and Google Cloud Storage, and of servers that speak their protocols, by obstore.

obstore's own retries bridge short breaks; a longer one continues by a range, and only of the same
version (`If-Match`).
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import (
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import GCSStore, S3Store

from skerry.api.artifact import scheme_of
from skerry.api.reasons import FetchRefusal
from skerry.jobs.ending import first_line
from skerry_fetcher.credentials import Credentials
from skerry_fetcher.errors import BrokenError, RefusedError, denied, host_unknown, not_trusted
from skerry_fetcher.listing import Listing, RemoteFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from obstore import GetOptions, ObjectMeta
    from obstore.store import ClientConfig, RetryConfig

    from skerry.jobs.plans import FetchPlan
    from skerry.jobs.scratch import Workspace
    from skerry_fetcher.sink import Sink

REGION = "us-east-1"
"""S3's default; servers other than Amazon's take any."""

CHUNK = 1 << 16
MOST_FILES = 1000
_S3_KEYS = {
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_SESSION_TOKEN": "session_token",
}
_GS_KEY = "service-account.json"
_RETRIES: RetryConfig = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}


class Bucket:
    """One object, or all below a key that ends with a slash."""

    def __init__(self, plan: FetchPlan, workspace: Workspace) -> None:
        """Read the credentials; nothing is sent yet."""
        credentials = Credentials.of(plan, workspace)
        self._where, self._secret = plan.uri, credentials.secret
        bucket, _, self._key = plan.uri.partition("://")[2].partition("/")
        client: ClientConfig = {"connect_timeout": "10s", "timeout": "10m"}
        client["allow_http"] = scheme_of(plan.endpoint or "") == "http"
        if credentials.authority is not None:
            credentials.trust()
            client["root_certificate"] = credentials.authority
        is_s3 = scheme_of(plan.uri) == "s3"
        settings = _s3(plan, credentials) if is_s3 else _gs(plan, credentials)
        make: Any = S3Store if is_s3 else GCSStore
        with self._errors():
            self._store = make(bucket, client_options=client, retry_config=_RETRIES, **settings)

    def look(self) -> Listing:
        """Return names, sizes and versions: one request for an object, one per 1000 objects of a folder."""
        with self._errors():
            if not self._key.endswith("/"):
                found = _remote(obstore.head(self._store, self._key), self._key.rpartition("/")[2])
                return Listing(files=(found,), resolved=found.validator)
            files = self._below()
        if not files:
            raise RefusedError(
                FetchRefusal.NOT_FOUND,
                f"{self._where}: nothing lies below this key; correct the uri, or put it there",
            )
        return Listing(files=tuple(files), folder=True)

    def fetch(self, file: RemoteFile, sink: Sink) -> None:
        """Ask for what is missing."""
        if sink.is_complete:
            return
        key = f"{self._key}{file.name}" if self._key.endswith("/") else self._key
        options: GetOptions = {"range": {"offset": sink.offset}} if sink.offset else {}
        if file.validator:
            options["if_match"] = file.validator
        with self._errors():
            for chunk in obstore.get(self._store, key, options=options).stream(CHUNK):
                sink.write(bytes(chunk))

    def _below(self) -> list[RemoteFile]:
        files: list[RemoteFile] = []
        for batch in obstore.list(self._store, self._key, chunk_size=MOST_FILES):
            for meta in batch:
                name = meta["path"].removeprefix(self._key)
                files.append(_remote(meta, name))
            if len(files) > MOST_FILES:
                raise RefusedError(
                    FetchRefusal.TOO_LARGE,
                    f"{self._where}: more than {MOST_FILES} objects lie below this key; name the"
                    " folder of the model itself",
                )
        return files

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise RefusedError(
                FetchRefusal.NOT_FOUND,
                f"{self._where}: there is no such bucket or object; correct the uri, or put it there",
            ) from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise denied(self._where, self._secret, _error_code(error)) from error
        except PreconditionError as error:
            message = f"{self._where}: it changed while it was fetched"
            raise RefusedError(FetchRefusal.CHANGED, message) from error
        except (BaseError, ValueError) as error:
            raise self._of_text(error) from error

    def _of_text(self, error: Exception) -> RefusedError | BrokenError:
        """Return the error for Obstore's generic one, which has the cause in its text."""
        text = str(error)
        if "dns error" in text or "failed to lookup address" in text:
            return host_unknown(self._where)
        _, is_certificate, kind = text.partition("InvalidCertificate(")
        if is_certificate:
            return not_trusted(self._where, " ".join(re.findall(r"\w+", kind)[:2]))
        if "service_account" in text or "private key" in text.lower() or "private_key" in text:
            return RefusedError(
                FetchRefusal.SECRET,
                f"{_GS_KEY} in the Secret {self._secret} is no service account's key"
                f" ({first_line(error)}); write the JSON file that Google Cloud gives out",
            )
        return BrokenError(f"{self._where}: {first_line(error)}")


def _s3(plan: FetchPlan, credentials: Credentials) -> dict[str, Any]:
    credentials.check(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    keys = {name: credentials.get(key) for key, name in _S3_KEYS.items()}
    given = {name: value for name, value in keys.items() if value is not None}
    settings: dict[str, Any] = {"region": plan.region or REGION, **given}
    if plan.endpoint is not None:
        settings["endpoint"] = plan.endpoint
    # Without keys, obstore would look for those of a machine of Amazon's, and wait for them.
    return settings if given else {**settings, "skip_signature": True}


def _gs(plan: FetchPlan, credentials: Credentials) -> dict[str, Any]:
    credentials.check((_GS_KEY,))
    key = credentials.get(_GS_KEY)
    settings: dict[str, Any] = (
        {"skip_signature": True} if key is None else {"service_account_key": key}
    )
    return settings if plan.endpoint is None else {**settings, "base_url": plan.endpoint}


def _remote(meta: ObjectMeta, name: str) -> RemoteFile:
    return RemoteFile(name=name, size=meta["size"], validator=meta["e_tag"] or "")


def _error_code(error: Exception) -> str:
    """Return the server's own error code, such as SignatureDoesNotMatch, where the answer has one."""
    code = str(error).partition("<Code>")[2].partition("</Code>")[0]
    return code or ("HTTP 401" if isinstance(error, UnauthenticatedError) else "HTTP 403")
