"""The one domain error of the control plane: what failed, where, and what to do about it.

Every answer of the API server or of a registry that is not a success becomes one of these in
`cluster.client` and `artifacts.registry`, so that nothing above has to know HTTP.
"""

from __future__ import annotations

from http import HTTPStatus

from skerry.cluster.advice import advise


class SkerryError(Exception):
    """Something that a person may have to act on.

    Args:
        what: what went wrong, in one sentence without a full stop.
        where: the object, file or address concerned.
        todo: what to do about it.
    """

    def __init__(self, what: str, where: str, todo: str) -> None:
        super().__init__(f"{where}: {what}; {todo}")
        self.what = what
        self.where = where
        self.todo = todo


class ClusterError(SkerryError):
    """The API server refused a request, or could not be reached (`status` 0)."""

    def __init__(self, what: str, where: str, todo: str, status: int = 0) -> None:
        super().__init__(what, where, todo)
        self.status = status


class NameConflictError(ClusterError):
    """An object of that name exists and is not ours: it is never adopted."""

    def __init__(self, where: str) -> None:
        super().__init__(
            "an object of this name exists and was not made for this EdgeModel",
            where,
            "rename or delete that object, or rename the EdgeModel",
            HTTPStatus.CONFLICT,
        )


def from_status(status: int, message: str, where: str) -> ClusterError:
    """The domain error for an HTTP status and the API server's own message."""
    return ClusterError(message, where, advise(status, message).todo, status)
