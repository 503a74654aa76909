"""Errors of the API server: `cluster.client` raises one for each answer that is not a success."""

from __future__ import annotations

from http import HTTPStatus

from skerry.cluster.advice import advise
from skerry.errors import SkerryError


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


class NotLeadingError(SkerryError):
    """A write was left out, since this process does not lead, or is not sure of it."""

    def __init__(self, where: str) -> None:
        super().__init__(
            "this operator does not lead and writes nothing", where, "the one that leads decides"
        )


def from_status(status: int, message: str, where: str) -> ClusterError:
    """Return the domain error for an HTTP status and the API server's own message."""
    return ClusterError(message, where, advise(status, message).todo, status)
