"""The user's data: a table (.csv) or arrays (.npz, .npy), with or without labels."""

from __future__ import annotations

import csv
import re
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skerry.cli.errors import CliError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

LABELS = "labels"
# What numpy and zipfile raise of archives that are broken, encrypted or packed in another way, and csv of tables.
UNREADABLE = (
    OSError, ValueError, TypeError, RuntimeError, EOFError, csv.Error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
DELIMITERS = ",;\t"
TRUTHS = {"true": True, "false": False}
SHOWN = 8
"""Names that a message lists."""


@dataclass(frozen=True)
class Samples:
    """Data whose first axis is the samples.

    Attributes:
        place: the file, for messages.
        arrays: by name; of a table, its columns of one axis each, in the file's order.
        labels: None where there are none.
        table: the arrays are columns.
    """

    place: str
    arrays: dict[str, NDArray[Any]]
    labels: NDArray[Any] | None = None
    table: bool = False

    @property
    def count(self) -> int:
        """How many samples there are."""
        return len(next(iter(self.arrays.values())))

    @property
    def names(self) -> str:
        """The names of the arrays, for messages."""
        names = list(self.arrays)
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return ", ".join(names[:SHOWN]) + more


def read_samples(file: Path, labels: str | None) -> Samples:
    """Read the user's data.

    Args:
        file: .csv with a header, .npz, or .npy.
        labels: the column or array that holds the labels, or a .npy file; None takes `labels`, if it is there.

    Raises:
        CliError: it can't be read, has no samples, or lacks the labels.
    """
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise CliError("data of this kind is not read", str(file), f"save it as {FORMS}")
    with _reading(file):
        arrays = reader(file)
    found = Samples(str(file), arrays, table=file.suffix.lower() == ".csv")
    return _checked(_with_labels(found, labels, file))


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Report what a reader raises of a file that it can't read."""
    try:
        yield
    except UNREADABLE as error:
        said = getattr(error, "strerror", None) or " ".join(str(error).split())[:120]
        raise CliError(f"cannot be read: {said}", str(file), f"save it as {FORMS}") from error


def _with_labels(found: Samples, labels: str | None, file: Path) -> Samples:
    """Split off the labels; nobody but the metric needs them."""
    name = labels or LABELS
    if name in found.arrays:
        arrays = {key: value for key, value in found.arrays.items() if key != name}
        return Samples(found.place, arrays, found.arrays[name], found.table)
    if labels and labels.endswith(".npy"):
        for path in (file.parent / labels, type(file)(labels)):
            if path.is_file():
                with _reading(path):
                    return Samples(found.place, found.arrays, _array(path), found.table)
    if labels:
        raise CliError(
            f"there are no labels named {labels}: it has {found.names}",
            found.place,
            "name one of these by --labels, or a .npy file that has them",
        )
    return found


def _checked(found: Samples) -> Samples:
    if not found.arrays or not all(array.ndim for array in found.arrays.values()):
        raise CliError(
            "it holds no samples", found.place, "give arrays whose first axis is the samples"
        )
    lengths = {name: len(array) for name, array in found.arrays.items()}
    if found.labels is not None:
        lengths[LABELS] = len(np.atleast_1d(found.labels))
    if len(set(lengths.values())) > 1 or not found.count:
        said = ", ".join(f"{name} {count}" for name, count in list(lengths.items())[:SHOWN])
        raise CliError(
            f"its arrays differ in their count of samples: {said}",
            found.place,
            "give every array and the labels one row for each sample",
        )
    return found


def _table(file: Path) -> dict[str, NDArray[Any]]:
    with file.open(newline="", encoding="utf-8-sig") as opened:
        head = re.sub('"[^"]*"', "", opened.readline())
        opened.seek(0)
        rows = list(csv.reader(opened, delimiter=max(DELIMITERS, key=head.count)))
    if len(rows) < 2:  # noqa: PLR2004 - a header and a sample
        raise ValueError("it has no rows below its header")
    header, body = rows[0], [row for row in rows[1:] if row]
    ragged = next((n for n, row in enumerate(body, 2) if len(row) != len(header)), None)
    if ragged is not None:
        raise ValueError(f"row {ragged} has not as many cells as the header")
    if len(set(header)) < len(header):
        raise ValueError("two of its columns have the same name")
    return {name: column([row[n] for row in body]) for n, name in enumerate(header)}


def column(cells: Sequence[str]) -> NDArray[Any]:
    """Return a column as bool, int64, float64 or text; an empty cell is NaN among numbers."""
    if all(cell.lower() in TRUTHS for cell in cells):
        return np.array([TRUTHS[cell.lower()] for cell in cells])
    try:
        return np.array([int(cell) for cell in cells], dtype=np.int64)
    except (ValueError, OverflowError):
        pass
    try:
        return np.array([float(cell) if cell.strip() else np.nan for cell in cells])
    except ValueError:
        return np.array(cells, dtype=np.str_)


def _archive(file: Path) -> dict[str, NDArray[Any]]:
    with file.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _array(file: Path) -> NDArray[Any]:
    found: NDArray[Any] = np.load(file, allow_pickle=False)
    return found


READERS: dict[str, Callable[[Path], dict[str, NDArray[Any]]]] = {
    ".csv": _table,
    ".npz": _archive,
    ".npy": lambda file: {"data": _array(file)},
}
FORMS = ".csv with a header, .npz or .npy (arrays of numbers or text, no objects)"
