"""Files of a PersistentVolumeClaim, which the job mounts to read.

Only its bytes distinguish versions of a file, so it is always read in full. It is copied
first: what is packed is what was checked, whoever writes to the claim meanwhile.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from skerry.api.reasons import FetchRefusal
from skerry_fetcher.errors import BrokenError, RefusedError
from skerry_fetcher.listing import Listing, RemoteFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.jobs.plans import FetchPlan
    from skerry.jobs.scratch import Workspace
    from skerry_fetcher.sink import Sink

CHUNK = 1 << 20


class Claim:
    """A file or folder below the claim's root."""

    def __init__(self, plan: FetchPlan, workspace: Workspace) -> None:
        """Begin with nothing read."""
        self._where = plan.uri
        self._root = workspace.claim.resolve()
        self._path = workspace.claim / plan.uri.removeprefix("pvc://").partition("/")[2]

    def look(self) -> Listing:
        """Return names and sizes."""
        with self._errors():
            path = self._path.resolve()
            if not path.is_relative_to(self._root):
                raise RefusedError(
                    FetchRefusal.NOT_FOUND, f"{self._where}: it is a link to outside of the claim"
                )
            if path.is_file():
                file = RemoteFile(name=self._path.name, size=path.stat().st_size)
                return Listing(files=(file,))
            files = tuple(
                RemoteFile(name=one.relative_to(path).as_posix(), size=one.stat().st_size)
                for one in sorted(path.rglob("*"))
                if one.is_file() and not one.is_symlink()
            )
        if not files:
            what = "the folder is empty" if path.is_dir() else "the claim has no such path"
            raise RefusedError(
                FetchRefusal.NOT_FOUND,
                f"{self._where}: {what}; correct the uri, or put the files there",
            )
        return Listing(files=files, folder=True)

    def fetch(self, file: RemoteFile, sink: Sink) -> None:
        """Copy."""
        sink.restart()
        path = self._path if self._path.is_file() else self._path / file.name
        with self._errors(), path.open("rb") as content:
            while chunk := content.read(CHUNK):
                sink.write(chunk)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise RefusedError(
                FetchRefusal.DENIED,
                f"{self._where}: {error.filename} can't be read by user 65532, as which the job"
                " runs; let everybody read it (chmod -R a+rX)",
            ) from error
        except OSError as error:
            raise BrokenError(f"{self._where}: {error}") from error
