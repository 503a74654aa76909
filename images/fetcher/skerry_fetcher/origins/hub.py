"""Models and data sets of the Hugging Face Hub, or of a server that speaks its protocol.

A revision (a branch, a tag; by default `main`) is resolved to its commit first, and every file is of
that commit. Downloads are huggingface_hub's own: they continue by ranges where they broke off. Its
faster way, Xet, is left off: a broken transfer starts from scratch there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import certifi
from httpx2 import TransportError

from skerry.api.reasons import FetchRefusal
from skerry.jobs.ending import first_line
from skerry_fetcher.credentials import Credentials
from skerry_fetcher.errors import BrokenError, RefusedError, denied, of_connection, of_status
from skerry_fetcher.listing import Listing, RemoteFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.jobs.plans import FetchPlan
    from skerry.jobs.scratch import Workspace
    from skerry_fetcher.sink import Sink

os.environ.update(
    HF_HUB_DISABLE_XET="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    HF_HUB_DISABLE_IMPLICIT_TOKEN="1",  # noqa: S106 - a switch
    HF_HUB_DOWNLOAD_TIMEOUT="60",
)
# It reads these when it is imported.
from huggingface_hub import HfApi, constants, errors, hf_hub_download

# It writes by 10 MB, and what it has not written is lost when a connection breaks.
constants.DOWNLOAD_CHUNK_SIZE = 1 << 16

DOWNLOADS = "hub"
BUNDLE = "authorities.pem"


class Hub:
    """A repository, a folder of it or one file."""

    def __init__(self, plan: FetchPlan, workspace: Workspace) -> None:
        """Read the credentials; nothing is sent yet."""
        credentials = Credentials.of(plan, workspace)
        credentials.check(("token",))
        self._where, self._secret = plan.uri, credentials.secret
        self._type, self._repository, self._revision, self._path = _parts(plan.uri)
        self._token: str | bool = credentials.get("token") or False
        self._endpoint = plan.endpoint or constants.ENDPOINT
        self._scratch = workspace.scratch
        _trust(credentials, self._scratch)

    def look(self) -> Listing:
        """Return the files of the commit that the revision names now."""
        with self._errors():
            api = HfApi(endpoint=self._endpoint)
            ask = api.dataset_info if self._type == "dataset" else api.model_info
            info = ask(
                self._repository, revision=self._revision, files_metadata=True, token=self._token
            )
        commit = str(info.sha)
        every = {one.rfilename: one for one in info.siblings or ()}
        if self._path in every:
            name = self._path.rpartition("/")[2]
            return Listing(files=(_remote(name, every[self._path], commit),), resolved=commit)
        prefix = f"{self._path.rstrip('/')}/" if self._path else ""
        files = tuple(
            _remote(name.removeprefix(prefix), one, commit)
            for name, one in every.items()
            if name.startswith(prefix) and not name.rpartition("/")[2].startswith(".")
        )
        if not files:
            raise RefusedError(
                FetchRefusal.NOT_FOUND,
                f"{self._where}: the repository has no such file or folder; it has"
                f" {', '.join(sorted(every)[:8]) or 'nothing'}",
            )
        return Listing(files=files, folder=True, resolved=commit)

    def fetch(self, file: RemoteFile, sink: Sink) -> None:
        """Bring the file in; huggingface_hub keeps what is unfinished in its own folder."""
        if sink.is_complete and _is_right(sink.path, file):
            return
        commit, _, _ = file.validator.partition(":")
        name = self._path
        if not name or name.rpartition("/")[2] != file.name:
            name = "/".join(part for part in (self._path.rstrip("/"), file.name) if part)
        with self._errors():
            done = hf_hub_download(
                self._repository, name, repo_type=self._type, revision=commit,
                local_dir=self._scratch / DOWNLOADS, token=self._token, endpoint=self._endpoint,
            )  # fmt: skip
        shutil.move(done, sink.path)
        if not _is_right(sink.path, file):
            raise RefusedError(
                FetchRefusal.CHANGED,
                f"{self._where}: {file.name} has other bytes than its commit {commit} says; the"
                " transfer or the server's storage is damaged",
            )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except errors.GatedRepoError as error:
            message = "its terms must be accepted on the Hub first"
            raise denied(self._where, self._secret, message) from error
        except errors.RepositoryNotFoundError as error:
            # The Hub does not say whether a private repository exists.
            raise RefusedError(
                FetchRefusal.NOT_FOUND,
                f"{self._where}: there is no such repository, or it is private and"
                f" {_with(self._secret)} may not see it",
            ) from error
        except (errors.RevisionNotFoundError, errors.EntryNotFoundError) as error:
            raise RefusedError(
                FetchRefusal.NOT_FOUND,
                f"{self._where}: the repository has no such revision or file",
            ) from error
        except errors.HfHubHTTPError as error:
            status = error.response.status_code if error.response is not None else 500
            raise of_status(status, self._where, self._secret) from error
        except (TransportError, OSError, RuntimeError) as error:
            raise of_connection(error, self._where) from error
        except ValueError as error:
            raise BrokenError(f"{self._where}: {first_line(error)}") from error


def _with(secret: str | None) -> str:
    return f"the token of Secret {secret}" if secret else "a reader without credentialsSecretName"


def _parts(uri: str) -> tuple[str, str, str, str]:
    """Return kind, repository, revision and path of hf://[datasets/]OWNER/NAME[@REVISION][/PATH]."""
    rest = uri.removeprefix("hf://")
    kind = "dataset" if rest.startswith("datasets/") else "model"
    owner, name, *path = rest.removeprefix("datasets/").split("/", 2)
    name, _, revision = name.partition("@")
    return kind, f"{owner}/{name}", unquote(revision) or "main", path[0] if path else ""


def _trust(credentials: Credentials, scratch: Path) -> None:
    """Let huggingface_hub's client, which reads no other place, trust the Secret's authority too."""
    if credentials.authority is not None:
        credentials.trust()
        bundle = scratch / BUNDLE
        bundle.write_text(f"{Path(certifi.where()).read_text()}\n{credentials.authority}\n")
        os.environ["SSL_CERT_FILE"] = str(bundle)


def _remote(name: str, one: Any, commit: str) -> RemoteFile:
    sha256 = one.lfs.sha256 if one.lfs is not None else None
    return RemoteFile(name=name, size=one.size, validator=f"{commit}:{one.blob_id}", sha256=sha256)


def _is_right(path: Path, file: RemoteFile) -> bool:
    if file.size is not None and path.stat().st_size != file.size:
        return False
    if file.sha256 is None:
        return True
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256
