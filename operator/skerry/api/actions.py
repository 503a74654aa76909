"""What a person does to a rollout by hand: annotations on the EdgeModel, which the operator only reads.

An action names what it is about, so that it can't hit something else that came meanwhile and needs
no memory to be done once: `promote`, `abort` and `undo` hold marks, REVISION[:ATTEMPT][/NONCE] with
commas between (a revision belongs to one class). What was aborted or undone is rejected for that
attempt for ever; an approval is used once, for another of the same attempt the nonce differs. `retry`
holds a nonce alone: it is about whatever the spec asks for.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.attempt import Attempt

if TYPE_CHECKING:
    from collections.abc import Mapping

ANNOTATION_RETRY = "skerry.dev/retry"
ANNOTATION_PROMOTE = "skerry.dev/promote"
ANNOTATION_ABORT = "skerry.dev/abort"
ANNOTATION_UNDO = "skerry.dev/undo"

MARK_LENGTH = 64
NONCE_LENGTH = 64
_MARK = re.compile(r"([0-9a-f]{10})(?::([0-9]{1,9}))?(?:/([A-Za-z0-9._-]{1,32}))?")


@dataclass(frozen=True)
class Mark:
    """One attempt that an action is about.

    Attributes:
        attempt: a mark without a number means the first.
        nonce: distinguishes two approvals of the same attempt.
    """

    attempt: Attempt
    nonce: str = ""

    def __str__(self) -> str:
        """Return the mark as it is written in an annotation; the first attempt is left out."""
        number = f":{self.attempt.number}" if self.attempt.number else ""
        return f"{self.attempt.revision}{number}" + (f"/{self.nonce}" if self.nonce else "")


def retry_asked(annotations: Mapping[str, str]) -> str | None:
    """Return the nonce of the retry annotation, as the status remembers it; None without one.

    An annotation can be longer than a field of the status: then its digest stands for it, which is
    another one for another text.
    """
    nonce = annotations.get(ANNOTATION_RETRY)
    if nonce is None or len(nonce) <= NONCE_LENGTH:
        return nonce
    return hashlib.sha256(nonce.encode()).hexdigest()


def marks(annotations: Mapping[str, str], key: str) -> tuple[Mark, ...]:
    """Return the marks in an annotation without words that are no marks."""
    words = (word.strip() for word in annotations.get(key, "").split(","))
    found = (_MARK.fullmatch(word) for word in words)
    return tuple(Mark(Attempt(f[1], int(f[2] or 0)), f[3] or "") for f in found if f)


def join(found: tuple[Mark, ...]) -> str:
    """Return the annotation's value for these marks."""
    return ",".join(str(mark) for mark in found)
