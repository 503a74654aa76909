"""Writes `crds/`: the pydantic models as CustomResourceDefinitions with structural schemas.

`python -m skerry.api.crd crds/` writes a file per kind; with `--check` it only says which of them
are stale, and exits 1 when one is. The API server takes a subset of JSON Schema ("structural": no
references, no unions, no nulls); this module turns pydantic's output into that subset and adds what
a CRD has in addition to its schema. An optional field becomes one that may be absent: the API server prunes
a null itself.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from skerry.api import KINDS
from skerry.api.common import GROUP, VERSION

if TYPE_CHECKING:
    from skerry.api.common import Column, Resource

HEADER = "# Made by `python -m skerry.api.crd crds/` from operator/skerry/api. Edit it there.\n"
CATEGORY = "skerry"
NOT_OBSERVED = {"observedGeneration": -1}
"""The status of an object that nobody has looked at yet; kstatus then says InProgress, not Current."""
UNSUPPORTED = frozenset({"title", "propertyNames", "uniqueItems"})
ORDER = (
    "description",
    "type",
    "enum",
    "default",
    "required",
    "properties",
    "items",
    "x-kubernetes-validations",
)

Schema = dict[str, Any]


class _Dumper(yaml.SafeDumper):
    """YAML for readers: nothing by reference, paragraphs as blocks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Write everything out where it stands."""
        return True


def _paragraphs(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _paragraphs)


def custom_resource_definition(kind: type[Resource]) -> Schema:
    """Return the CRD of one kind, as the API server takes it."""
    info, name = kind.info, kind.__name__
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{info.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": name,
                "listKind": f"{name}List",
                "plural": info.plural,
                "singular": name.lower(),
                "shortNames": [info.short],
                "categories": [CATEGORY],
            },
            "scope": info.scope,
            "versions": [_version(kind)],
        },
    }


def open_api_schema(kind: type[Resource]) -> Schema:
    """Return the structural OpenAPI v3 schema of one kind: references resolved, unions and nulls gone."""
    written = kind.model_json_schema(by_alias=True, mode="validation")
    root = _structural(written, written.pop("$defs", {}))
    # The API server knows these; a schema may only name them.
    root["properties"] |= {
        "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}"},
        "kind": {"type": "string", "description": kind.__name__},
        "metadata": {"type": "object"},
    }
    root["required"] = ["spec"]
    status = root["properties"].get("status", {})
    _without_defaults(status)
    if "observedGeneration" in status.get("properties", {}):
        status["default"] = NOT_OBSERVED
    return root


def render(kind: type[Resource]) -> str:
    """Return the text of one kind's file."""
    definition = custom_resource_definition(kind)
    return HEADER + yaml.dump(definition, Dumper=_Dumper, sort_keys=False, width=100)


def files() -> dict[str, str]:
    """Return text by file name, for all kinds."""
    return {f"{GROUP}_{kind.info.plural}.yaml": render(kind) for kind in KINDS}


def stale(folder: Path) -> list[str]:
    """Return the names of files in the folder that differ from the models: changed, missing or left over."""
    wanted = files()
    found = {path.name: path.read_text() for path in folder.glob("*.yaml")}
    return sorted(name for name in wanted | found if wanted.get(name) != found.get(name))


def write(folder: Path) -> None:
    """Write all files into the folder and remove those of kinds that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.yaml"):
        path.unlink()
    for name, text in files().items():
        (folder / name).write_text(text)


def _version(kind: type[Resource]) -> Schema:
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [_column(column) for column in kind.info.columns],
        "schema": {"openAPIV3Schema": open_api_schema(kind)},
    }
    return version | {"subresources": {"status": {}}} if kind.info.has_status else version


def _column(column: Column) -> Schema:
    written: Schema = {"name": column.name, "type": column.type, "jsonPath": column.path}
    # Left out when 0, as the API server does: else two appliers of the same file would conflict.
    return written | {"priority": column.priority} if column.priority else written


def _structural(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """Return one schema in the API server's subset, with all its references written out."""
    flat = _resolve(_required_form(schema), definitions)
    kept = {key: flat[key] for key in sorted(flat, key=_place) if key not in UNSUPPORTED}
    if "description" in kept:
        kept["description"] = _unwrap(kept["description"])
    if "default" in kept:
        kept["default"] = _without_nulls(kept["default"])
    for key in ("items", "additionalProperties"):
        if key in kept:
            kept[key] = _structural(kept[key], definitions)
    if "properties" in kept:
        parts = kept["properties"].items()
        kept["properties"] = {name: _structural(part, definitions) for name, part in parts}
    return kept


def _required_form(schema: Schema) -> Schema:
    """Return `X | None` with default null as an X that may be absent.

    Raises:
        ValueError: another union, which a structural schema can't say.
    """
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    if "anyOf" not in schema:
        return schema
    if len(options) != 1:
        raise ValueError(f"a union of {len(options)} types can't be written into a CRD: {schema}")
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    if rest.get("default", "") is None:
        del rest["default"]
    required: Schema = options[0] | rest
    return required


def _resolve(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """Return the schema, written out when it is a reference.

    A field's own description takes the place of its type's; an enum's, which describes the values,
    is kept below it.
    """
    if "$ref" not in schema:
        return schema
    target = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    own = {key: value for key, value in schema.items() if key != "$ref"}
    words = [own.get("description"), target.get("description")]
    if "enum" not in target:
        words = words[:1] if words[0] else words[1:]
    return target | own | {"description": "\n\n".join(text for text in words if text)}


def _place(key: str) -> tuple[int, str]:
    """Return the place of a schema's key for readers: what it is, what it takes, then its parts."""
    return (ORDER.index(key) if key in ORDER else len(ORDER) // 2, key)


def _unwrap(text: str) -> str:
    """Return a docstring's lines joined to paragraphs; a line that starts with `value:` stays one."""
    return re.sub(r"(?<!\n)\n(?!\n|\w+: )", " ", text)


def _without_nulls(value: Any) -> Any:
    """Return a default without the fields that are null, as the API server would prune it."""
    if isinstance(value, dict):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_nulls(part) for part in value]
    return value


def _without_defaults(schema: Schema) -> None:
    """Remove all defaults: a status says only what its writer found."""
    schema.pop("default", None)
    parts = [
        *schema.get("properties", {}).values(),
        schema.get("items"),
        schema.get("additionalProperties"),
    ]
    for part in parts:
        if isinstance(part, dict):
            _without_defaults(part)


def main(arguments: list[str] | None = None) -> int:
    """Write or check the folder named on the command line; the exit code says whether it is fresh."""
    parser = argparse.ArgumentParser(prog="python -m skerry.api.crd", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="+", help="crds/ and copies of it")
    parser.add_argument("--check", action="store_true", help="write nothing, name stale files")
    options = parser.parse_args(arguments)
    outdated = [folder / name for folder in options.folder for name in stale(folder)]
    if not options.check:
        for folder in options.folder:
            write(folder)
        return 0
    for path in outdated:
        sys.stderr.write(f"{path} is stale: run `python -m skerry.api.crd {path.parent}`\n")
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())
