"""What an error of the API server means, and what a person can do about it.

The API server's messages are not part of its API, but they are stable. The patterns here were taken
from a real server, and tests check them against a real server again. A message that no pattern
matches is reported in the API server's own words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from skerry.api.reasons import WriteRefusal

if TYPE_CHECKING:
    from collections.abc import Callable


WEBHOOK_AWAY = "failed calling webhook"
NAMESPACE_GOES = "because it is being terminated"
PASSES_BY_ITSELF = frozenset(
    {
        WriteRefusal.NAMESPACE_TERMINATING,
        WriteRefusal.WEBHOOK_UNAVAILABLE,
        WriteRefusal.WRITE_FAILED,
    }
)
"""Nobody has to change the object or the cluster's rules: no reason for `Stalled`."""


@dataclass(frozen=True)
class Advice:
    """A reason for machines, and what to do about it, for people."""

    reason: WriteRefusal
    todo: str

    @property
    def stalls(self) -> bool:
        """Whether a person has to act."""
        return self.reason not in PASSES_BY_ITSELF


AGAIN = "the operator retries automatically"

ADVICE: dict[int, Advice] = {
    HTTPStatus.UNAUTHORIZED: Advice(
        WriteRefusal.ACCESS_DENIED, "check the operator's service account token or kubeconfig"
    ),
    HTTPStatus.FORBIDDEN: Advice(
        WriteRefusal.ADMISSION_DENIED,
        "an admission plugin of the API server rejects this: meet its requirements",
    ),
    HTTPStatus.NOT_FOUND: Advice(
        WriteRefusal.WRITE_REFUSED, "check that the CRDs of this version are installed"
    ),
    HTTPStatus.CONFLICT: Advice(
        WriteRefusal.WRITE_FAILED,
        f"the object changed meanwhile; {AGAIN}",
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Advice(
        WriteRefusal.OBJECT_TOO_LARGE,
        "the object is larger than etcd accepts: report this as a defect",
    ),
    HTTPStatus.TOO_MANY_REQUESTS: Advice(
        WriteRefusal.WRITE_FAILED, f"the API server is overloaded; {AGAIN}"
    ),
    HTTPStatus.BAD_REQUEST: Advice(
        WriteRefusal.INVALID_OBJECT,
        "check that the CRDs are of this version; if they are, report this as a defect",
    ),
}
"""By status, where no pattern fits."""

_FIELD = re.compile(
    r"(?:is invalid: \[?|\], |, )([a-zA-Z][\w.\-/]*(?:\[[^\]]*\][\w.\-/]*)*): "
    r"(?:Invalid|Required|Unsupported|Duplicate|Forbidden|Too |Not found|Internal error)"
)
_FIELDS_NAMED = 3


def advise(status: int, message: str) -> Advice:
    """Return the meaning of an answer that is not a success.

    Args:
        status: of HTTP; 0 when the API server could not be reached.
        message: the API server's own words.
    """
    for pattern, answer in _PATTERNS:
        found = pattern.search(message)
        if found is not None:
            return answer(found)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return _invalid(message)
    later = Advice(
        WriteRefusal.WRITE_FAILED, f"{AGAIN}; if it persists, check the API server's log"
    )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == 0:
        return later
    refused = Advice(WriteRefusal.WRITE_REFUSED, later.todo)
    return ADVICE.get(status, refused)


def _terminating(_: re.Match[str]) -> Advice:
    todo = "no action needed: deleting the namespace deletes its objects"
    return Advice(WriteRefusal.NAMESPACE_TERMINATING, todo)


def _quota(found: re.Match[str]) -> Advice:
    todo = (
        f"raise or delete ResourceQuota {found['name']} of this namespace, or delete what it counts"
    )
    return Advice(WriteRefusal.QUOTA_EXCEEDED, f"{todo}; {AGAIN}")


def _quota_unmet(found: re.Match[str]) -> Advice:
    todo = f"ResourceQuota {found['name']} of this namespace requires what Skerry does not set: change it"
    return Advice(WriteRefusal.QUOTA_EXCEEDED, f"{todo}, or add a LimitRange to the namespace")


def _quota_unknown(found: re.Match[str]) -> Advice:
    todo = f"ResourceQuota {found['name']} of this namespace is new and not counted yet; {AGAIN}"
    return Advice(WriteRefusal.WRITE_FAILED, todo)


def _policy(found: re.Match[str]) -> Advice:
    todo = f"change {found['sort']}AdmissionPolicy {found['name']} to allow it, or meet its requirements"
    return Advice(WriteRefusal.ADMISSION_DENIED, f"{todo}; {AGAIN}")


def _webhook(found: re.Match[str]) -> Advice:
    todo = f"change admission webhook {found['name']} to allow it, or meet its requirements"
    return Advice(WriteRefusal.ADMISSION_DENIED, f"{todo}; {AGAIN}")


def _webhook_away(found: re.Match[str]) -> Advice:
    todo = (
        f"admission webhook {found['name']} does not answer: check the Service and pods behind it"
    )
    return Advice(WriteRefusal.WEBHOOK_UNAVAILABLE, f"{todo}; {AGAIN}")


def _pod_security(_: re.Match[str]) -> Advice:
    todo = "Skerry's pods meet the restricted level, so a mutating webhook changes them: find that webhook"
    return Advice(WriteRefusal.ADMISSION_DENIED, todo)


def _rights(_: re.Match[str]) -> Advice:
    todo = "check the operator's ClusterRole and its binding (helm upgrade applies the chart's)"
    return Advice(WriteRefusal.ACCESS_DENIED, todo)


def _too_large(_: re.Match[str]) -> Advice:
    return ADVICE[HTTPStatus.REQUEST_ENTITY_TOO_LARGE]


def _role_ref(_: re.Match[str]) -> Advice:
    todo = "the role of a RoleBinding can't be changed: delete that RoleBinding, or rename it"
    return Advice(WriteRefusal.INVALID_OBJECT, f"{todo}; {AGAIN}")


def _invalid(message: str) -> Advice:
    fields = list(dict.fromkeys(_FIELD.findall(message)))[:_FIELDS_NAMED]
    if not fields:
        return ADVICE[HTTPStatus.BAD_REQUEST]
    todo = (
        f"the API server does not accept {', '.join(fields)}: correct what spec or the chart's values"
        " set there; if they set nothing, report this as a defect"
    )
    return Advice(WriteRefusal.INVALID_OBJECT, todo)


_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Advice]], ...] = (
    (re.compile(NAMESPACE_GOES), _terminating),
    (re.compile(r"exceeded quota: (?P<name>[^,\s]+)"), _quota),
    (re.compile(r"failed quota: (?P<name>[^:\s]+)"), _quota_unmet),
    (re.compile(r"status unknown for quota: (?P<name>[^,\s]+)"), _quota_unknown),
    (re.compile(r"(?P<sort>Validating|Mutating)AdmissionPolicy '(?P<name>[^']+)'"), _policy),
    (re.compile(r"admission webhook \"(?P<name>[^\"]+)\" denied"), _webhook),
    (re.compile(WEBHOOK_AWAY + r" \"(?P<name>[^\"]+)\""), _webhook_away),
    (re.compile(r"violates PodSecurity"), _pod_security),
    (re.compile(r"cannot \w+ resource|attempting to grant RBAC permissions"), _rights),
    (re.compile(r"request is too large|entity too large"), _too_large),
    (re.compile(r"roleRef: Invalid value"), _role_ref),
)
