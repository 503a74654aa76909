"""The chart's values that name freshly pushed images: what a Helm installation needs to know of a build.

An image is a component of Skerry (operator, agent, gateway, fetcher) or half of an engine; the entry
points of the engines say which folder of `engines/` is whose, so an engine that is added needs no line
here.
"""

from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path

import yaml

from image_build.builder import BuiltImage
from skerry.engines import GROUP

COMPONENTS = ("operator", "agent", "gateway", "fetcher")
HALVES = {"optimizer": "optimizerImage", "runtime": "runtimeImage"}
HEADER = "# Made by images/build.py: for `helm install skerry charts/skerry --values THIS-FILE`.\n"

Values = dict[str, object]


def engine_names(repository: Path) -> dict[str, str]:
    """Return the engines that have a folder in the checkout: name by folder."""
    found = {}
    for entry in entry_points(group=GROUP):
        package = entry.module.partition(".")[0]
        for folder in repository.glob(f"engines/*/{package}"):
            found[folder.parent.name] = entry.load().name
    return found


def place(image: str, engines: dict[str, str]) -> tuple[str, ...] | None:
    """Return where the chart's values name an image, as a path; None for one that it does not."""
    if image in COMPONENTS:
        return ("images", image)
    half, _, folder = image.partition("-")
    if half in HALVES and folder in engines:
        return ("engines", engines[folder], HALVES[half])
    return None


def chart_values(
    built: Iterable[BuiltImage], registry: str, *, insecure: bool, engines: dict[str, str]
) -> Values:
    """Return the values: the registry, and each image by digest."""
    values: Values = {"registry": {"address": registry, "insecure": insecure}}
    for image in built:
        path = place(image.name, engines)
        if path is not None:
            _put(values, path, image.reference)
    return values


def write(file: Path, values: Values) -> None:
    """Write the values as YAML."""
    file.write_text(HEADER + yaml.safe_dump(values, sort_keys=False))


def _put(values: Values, path: tuple[str, ...], text: str) -> None:
    inner = values
    for name in path[:-1]:
        inner = inner.setdefault(name, {})  # type: ignore[assignment]
    inner[path[-1]] = text
