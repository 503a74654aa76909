"""How fetching ends badly: for good, for now, or only for this connection."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from skerry.api.reasons import FetchRefusal
from skerry.jobs.ending import first_line
from skerry.jobs.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Iterator

LASTING = frozenset(
    {
        FetchRefusal.NOT_FOUND, FetchRefusal.DENIED, FetchRefusal.WRONG_DIGEST, FetchRefusal.TOO_LARGE,
        FetchRefusal.WRONG_FORMAT, FetchRefusal.NOT_TRUSTED, FetchRefusal.SECRET,
    }
)  # fmt: skip
"""What a second try of the same job can't mend; the operator tries again later, ever less often."""


class RefusedError(StageError):
    """Nothing can be fetched; the message begins with the reason in one word.

    Args:
        reason: one word, for machines.
        message: what, where and what to do about it.
    """

    def __init__(self, reason: FetchRefusal, message: str) -> None:
        super().__init__(f"{reason.value}: {message}")
        self.reason = reason

    @property
    def lasting(self) -> bool:
        """Whether trying again at once is of no use."""
        return self.reason in LASTING


class BrokenError(Exception):
    """The connection failed or the server was busy: what is there is kept, and the rest asked for."""


def of_connection(error: BaseException, where: str) -> RefusedError | BrokenError:
    """Return the meaning of a client library's error when the server gave no answer.

    Libraries wrap the cause in errors of their own, so it is looked for all the way down.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return not_trusted(where, cause.verify_message)
        if isinstance(cause, socket.gaierror):
            return host_unknown(where)
    return BrokenError(f"{where}: {first_line(error)}")


def not_trusted(where: str, why: str) -> RefusedError:
    """Return the error for a server whose certificate can't be verified."""
    return RefusedError(
        FetchRefusal.NOT_TRUSTED,
        f"{where}: the server's certificate is not trusted ({why}); put the certificate authority"
        " that issued it into the key ca.crt of the Secret that credentialsSecretName names",
    )


def host_unknown(where: str) -> RefusedError:
    """Return the error for a host that DNS does not know."""
    return RefusedError(
        FetchRefusal.HOST_UNKNOWN,
        f"{where}: no host of this name is known in the cluster; correct the uri or endpoint, or see"
        " whether the cluster's DNS answers",
    )


def of_status(status: int, where: str, secret: str | None) -> RefusedError | BrokenError:
    """Return the meaning of an HTTP status other than success."""
    if status in {401, 403}:
        return denied(where, secret, f"HTTP {status}")
    if status in {404, 410}:
        return RefusedError(
            FetchRefusal.NOT_FOUND,
            f"{where}: there is no such file; correct the uri, or put it there",
        )
    if status in {408, 425, 429} or status >= 500:  # noqa: PLR2004 - the server's own errors
        return BrokenError(f"{where}: the server answered HTTP {status}")
    return RefusedError(
        FetchRefusal.UNREACHABLE, f"{where}: the server answered HTTP {status}; look at its log"
    )


def denied(where: str, secret: str | None, why: str) -> RefusedError:
    """Return the error for a server that requires other credentials, or any."""
    todo = (
        f"see that Secret {secret} holds credentials that may read it"
        if secret
        else "name a Secret with credentials in credentialsSecretName"
    )
    return RefusedError(FetchRefusal.DENIED, f"{where}: access is denied ({why}); {todo}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
