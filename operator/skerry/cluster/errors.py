"""Errors of the API server: `cluster.client` raises one for each answer that is not a success."""

from __future__ import annotations

from http import HTTPStatus

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


NAMESPACE_GOES = "because it is being terminated"

ADVICE: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "check the operator's service account token or kubeconfig",
    HTTPStatus.FORBIDDEN: "check the operator's ClusterRole (helm upgrade brings the chart's)",
    HTTPStatus.NOT_FOUND: "check that the CRDs of this version are installed",
    HTTPStatus.CONFLICT: "the object changed meanwhile; the operator looks again by itself",
    HTTPStatus.UNPROCESSABLE_ENTITY: "are the CRDs of this version? if so, report this as a defect",
    HTTPStatus.TOO_MANY_REQUESTS: "the API server is overloaded; the operator tries again by itself",
}


def from_status(status: int, message: str, where: str) -> ClusterError:
    """The domain error for an HTTP status and the API server's own message."""
    todo = ADVICE.get(
        status, "the operator tries again by itself; look at the API server's log if it stays"
    )
    if NAMESPACE_GOES in message:
        todo = "nothing is to be done: the EdgeModel goes with its namespace"
    return ClusterError(message, where, todo, status)
