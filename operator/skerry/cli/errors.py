"""Errors of the command line: what, where, what to do; the API server's answers in a user's words."""

from __future__ import annotations

from http import HTTPStatus

from skerry.cluster.errors import ClusterError
from skerry.errors import SkerryError

NO_CONNECTION = 0
ADVICE: dict[int, str] = {
    NO_CONNECTION: "check the address in your kubeconfig and that the cluster is up",
    HTTPStatus.UNAUTHORIZED: "log in again, or check the user of your kubeconfig's context",
    HTTPStatus.FORBIDDEN: "ask for a role in this namespace (the chart adds Skerry's kinds to view and edit)",
    HTTPStatus.NOT_FOUND: "check that Skerry is installed: `kubectl get crd edgemodels.skerry.dev`",
    HTTPStatus.CONFLICT: "the object changed meanwhile; run the command again",
    HTTPStatus.UNPROCESSABLE_ENTITY: "correct the manifest",
    HTTPStatus.BAD_REQUEST: "correct the manifest",
}


class CliError(SkerryError):
    """A use of the command line that can't be done."""


def lines(error: SkerryError) -> tuple[str, str]:
    """Return the two lines that a person gets: the problem with its place, then the cure."""
    todo = error.todo
    if isinstance(error, ClusterError):
        todo = ADVICE.get(
            error.status, "run the command again; if it persists, check the API server's log"
        )
    return f"{error.where}: {error.what}", todo
