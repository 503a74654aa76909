"""Objects of the API server, read one by one: an object that can't be read stops no other. Pure.

The API server holds objects that this version can't read: they were stored under an older or a newer
CRD, or hold a value that the API server takes and Python does not. `read` turns every failure to read
one object into an `Unreadable`, which names the object, the field, the cause and a cure.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ValidationError

from skerry.api.mistakes import cause, dotted
from skerry.controllers.cache import Key, key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from skerry.cluster.client import Object

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
M = TypeVar("M", bound="BaseModel")
Path = tuple[str | int, ...]

CAUSE_LENGTH = 300
ROUNDS = 4
"""Validation in stages: a second look can find what the first fault hid."""
YEARS = range(1970, 2200)
_FIELD_FIRST = re.compile(r"([a-z][A-Za-z]*): (.+)", re.DOTALL)


@dataclass(frozen=True)
class Fault:
    """Why an object, or a part of it, can't be read.

    Attributes:
        field: dotted; empty for the whole object.
    """

    field: str
    cause: str

    def __str__(self) -> str:
        """Return field and cause, for people."""
        return f"{self.field}: {self.cause}" if self.field else self.cause


@dataclass(frozen=True)
class Partly(Generic[T_co]):
    """An object without the parts that can't be read."""

    value: T_co
    fault: Fault


@dataclass(frozen=True)
class Unreadable:
    """An object that can't be read, or not wholly.

    Attributes:
        item: as the API server holds it.
        partly: the rest of it was read and counts.
    """

    kind: str
    item: Object = field(repr=False)
    fault: Fault
    partly: bool = False

    @property
    def key(self) -> Key:
        """Return namespace and name."""
        return key_of(self.item)

    @property
    def title(self) -> str:
        """Return kind, namespace and name, for people."""
        return f"{self.kind} {'/'.join(part for part in self.key if part)}"

    @property
    def cure(self) -> str:
        """Return what a person does about it."""
        namespace, name = self.key
        command = f"kubectl edit {self.kind.lower()} {name}"
        command += f" --namespace={namespace}" if namespace else ""
        command += " --subresource=status" if self.fault.field.startswith("status") else ""
        return f"correct it with `{command}`"

    @property
    def identity(self) -> tuple[str, ...]:
        """Return what changes when there is something new to say about the object."""
        metadata = self.item["metadata"]
        version = metadata.get("generation", "")
        return (str(metadata.get("uid")), str(version), self.fault.field, self.fault.cause)

    def __str__(self) -> str:
        """Return the object, what is wrong with it, and what to do about it."""
        return f"{self.title} can't be read: {self.fault}; {self.cure}"


def read(
    kind: str, item: Object, parse: Callable[[Object], T | Partly[T] | None]
) -> tuple[T | None, Unreadable | None]:
    """Return the object, as far as it can be read, and what can't be read of it."""
    try:
        found = parse(item)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one object is its own affair
        return None, Unreadable(kind, item, fault_of(error))
    if isinstance(found, Partly):
        return found.value, Unreadable(kind, item, found.fault, partly=True)
    return found, None


def fault_of(error: Exception) -> Fault:
    """Return field and cause out of what a parser raised; of several faults the first."""
    if isinstance(error, ValidationError):
        return _first(error)
    if isinstance(error, KeyError):
        return Fault(dotted(error.args[:1]), "is missing")
    return Fault("", _line(str(error) or type(error).__name__))


def without_faults(
    model: type[M], item: Object, droppable: Callable[[Path], Path | None]
) -> M | Partly[M]:
    """Return the object without the parts that can't be read and that may be left out.

    Args:
        model: of the object.
        item: JSON.
        droppable: the part to leave out for a fault at this path; None where nothing may be.

    Raises:
        ValidationError: when what can't be read may not be left out.
    """
    fault: Fault | None = None
    for _ in range(ROUNDS):
        try:
            found = model.model_validate(item)
        except ValidationError as error:
            parts = {droppable(tuple(one["loc"])) for one in error.errors(include_url=False)}
            if None in parts:
                raise
            fault = fault or _first(error)
            item = _without(item, [part for part in parts if part is not None])
        else:
            return found if fault is None else Partly(found, fault)
    return model.model_validate(item)


def time_of(text: str) -> datetime:
    """Return a Kubernetes time as an aware datetime.

    Kubernetes takes years that Python does not have (0), or has and can't add a day to (9999), and a
    device whose clock is broken writes them. The CRDs have the same bounds.

    Raises:
        ValueError: no time, or one outside of the years 1970 to 2199.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None or found.year not in YEARS:
        raise ValueError(f"{text!r} is not within the years {YEARS[0]} to {YEARS[-1]}")
    return found


class Times:
    """Reads the times of one object; one that can't be read counts as not set."""

    def __init__(self) -> None:
        self.fault: Fault | None = None

    def read(self, text: str | None, where: str) -> datetime | None:
        """Return a Kubernetes time as an aware datetime; None for none and for one that can't be read."""
        try:
            return time_of(text) if text else None
        except ValueError as error:
            self.fault = self.fault or Fault(where, _line(f"{text!r}: {error}"))
            return None

    def with_fault(self, value: T) -> T | Partly[T]:
        """Return the object that the times belong to."""
        return value if self.fault is None else Partly(value, self.fault)


def _first(error: ValidationError) -> Fault:
    """Return the first fault; a rule names the field that it blames at the beginning of its message."""
    first = error.errors(include_url=False)[0]
    why = _line(cause(first))
    blamed = _FIELD_FIRST.fullmatch(why)
    if first["type"] == "value_error" and blamed is not None:
        return Fault(dotted((*first["loc"], blamed[1])), blamed[2])
    return Fault(dotted(first["loc"]), why)


def _line(text: str) -> str:
    """Return one line of bounded length: it goes into logs and conditions."""
    flat = " ".join(text.split())
    return flat if len(flat) <= CAUSE_LENGTH else flat[: CAUSE_LENGTH - 1] + "…"


def _without(item: Object, parts: list[Path]) -> Object:
    """Return a copy without these parts; of lists the last entries first, so that places stay right."""
    copied = copy.deepcopy(item)
    for *parents, last in sorted(parts, key=_place, reverse=True):
        place: Any = copied
        for parent in parents:
            place = place[parent]
        del place[last]
    return copied


def _place(path: Path) -> tuple[tuple[int, str], ...]:
    return tuple((part, "") if isinstance(part, int) else (-1, part) for part in path)
