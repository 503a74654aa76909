"""What is wrong with a manifest or a configuration, in words for the people who wrote it.

pydantic describes types and patterns in the terms of its own API ("String should match pattern ...").
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from skerry.api import common
from skerry.api.artifact import Endpoint, ObjectName, Region, Uri
from skerry.api.guard import Tolerance
from skerry.api.hardwareclass import Architecture, Feature
from skerry.api.labels import LabelValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    Location = tuple[int | str, ...]

_NAME = "lower-case letters, digits and -, beginning and ending with a letter or digit"
_FORMS = {
    Uri: "a URI: oci://, oci+native://, s3://, gs://, https://, http://, hf:// or pvc:// and what follows,"
    " without spaces",
    Endpoint: "a URL such as https://minio.example.com:9000",
    Region: "a region such as eu-central-1",
    ObjectName: f"the name of an object: {_NAME}; dots are allowed between",
    common.DnsLabel: f"a name: {_NAME}",
    common.EngineName: "the name of an engine such as ONNXRuntime or OpenVINO",
    common.Duration: "a duration such as 30s, 10m or 1h30m",
    Tolerance: "a limit such as 1.25x or 1%",
    Architecture: "an architecture: amd64, arm64 or arm",
    Feature: "a feature: lower-case letters, digits, _ and ., such as avx512_vnni",
    common.Ratio: "a number such as 0.95",
    common.Times: "a factor such as 1.2x",
    common.CountOrPercent: "a number of nodes or a percentage, such as 1 or 10%",
    common.CpuQuantity: "an amount of CPU such as 250m or 1.5",
    common.MemoryQuantity: "an amount of memory such as 64Mi or 1Gi",
    common.PinnedImage: "an image by digest: NAME@sha256: and 64 hexadecimal digits",
    common.RevisionName: "a revision: ten hexadecimal digits",
    common.Digest: "a digest: sha256: and 64 hexadecimal digits",
    LabelValue: "the value of a label: letters, digits, -, _ and ., beginning and ending with a letter or digit",
}
_TYPES = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "tuple_type": "a list, whose entries begin with - in lines of their own",
    "list_type": "a list, whose entries begin with - in lines of their own",
    "dict_type": "an object: fields with values, each as name: value in a line of its own",
    "model_type": "an object: fields with values, each as name: value in a line of its own",
    "model_attributes_type": "an object: fields with values, each as name: value in a line of its own",
}
_BOUNDS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
}
_LENGTHS = {
    "too_short": ("at least {min_length}", "entries"),
    "too_long": ("at most {max_length}", "entries"),
    "string_too_short": ("at least {min_length}", "characters"),
    "string_too_long": ("at most {max_length}", "characters"),
}
_SHOWN = 60


def mistakes(
    error: ValidationError,
    fields: Callable[[Location], Iterable[str]] = lambda _: (),
    *,
    whole: str = "the manifest",
) -> list[str]:
    """Return each mistake as `field: what is wrong`, without those that follow from another.

    Args:
        error: as pydantic raised it.
        fields: the names that exist at a place, for fields that are misspelled.
        whole: what was read, for a mistake that is none of one field.
    """
    found = error.errors(include_url=False)
    # A misspelled field is missing as well, and a list whose entries are wrong counts as empty.
    near = {(*one["loc"][:-1], _near(one, fields)) for one in found if _is_unknown(one)}
    return [
        f"{dotted(one['loc']) or whole}: {_words(one, fields)}"
        for one in found
        if not (one["type"] == "missing" and one["loc"] in near)
        and not (one["type"] in _LENGTHS and _holds_others(one, found))
    ]


def dotted(path: Sequence[int | str]) -> str:
    """Return a path as people write it: status.models[0].name."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(
        "."
    )


def cause(mistake: ErrorDetails) -> str:
    """Return what is wrong with one field."""
    return _words(mistake, lambda _: ())


def _words(mistake: ErrorDetails, fields: Callable[[Location], Iterable[str]]) -> str:
    kind, context = mistake["type"], mistake.get("ctx") or {}
    if _is_unknown(mistake):
        meant = _near(mistake, fields)
        return "there is no such field" + (f": did you mean {meant}?" if meant else "")
    if kind == "missing":
        return "is missing, and must be set"
    if kind == "string_type" and _is_number(mistake["input"]):
        return f'this is text, so write it in quotes: "{mistake["input"]}"'
    return _must_be(kind, context, mistake["input"]) or mistake["msg"].removeprefix("Value error, ")


def _must_be(kind: str, context: dict[str, Any], given: Any) -> str:
    if kind == "string_pattern_mismatch" and context["pattern"] in FORMS:
        return f"{_shown(given)} is not {FORMS[context['pattern']]}"
    if kind in ("enum", "literal_error"):
        return f"{_shown(given)} is not one of the values that exist: {context['expected']}"
    if kind in _TYPES:
        return f"must be {_TYPES[kind]}; it is {_shown(given)}"
    if kind in _BOUNDS:
        return f"must be {_BOUNDS[kind].format(**context)}; it is {_shown(given)}"
    if kind in _LENGTHS:
        bound, unit = _LENGTHS[kind]
        return f"must have {bound.format(**context)} {unit}; it has {len(given)}"
    return ""


def _shown(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}\u2026"


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _is_unknown(mistake: ErrorDetails) -> bool:
    return mistake["type"] == "extra_forbidden"


def _near(mistake: ErrorDetails, fields: Callable[[Location], Iterable[str]]) -> str:
    *place, name = mistake["loc"]
    found = get_close_matches(str(name), list(fields(tuple(place))), n=1)
    return found[0] if found else ""


def _holds_others(mistake: ErrorDetails, found: Sequence[ErrorDetails]) -> bool:
    place = mistake["loc"]
    return any(len(one["loc"]) > len(place) and one["loc"][: len(place)] == place for one in found)


def _pattern(kind: Any) -> str:
    """Return the pattern of an annotated string."""
    metadata = (getattr(part, "metadata", ()) for part in get_args(kind))
    found = (getattr(one, "pattern", None) for each in metadata for one in each)
    return next(pattern for pattern in found if isinstance(pattern, str))


FORMS = {_pattern(kind): form for kind, form in _FORMS.items()}
"""What a string of each pattern is, for people; a test holds that each pattern of a spec has one."""
