"""A CRD as another version's could be: for a moment the API server stores what the present one refuses."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.cluster.conftest import ROOT
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster.conftest import Kubectl

TAKES_EFFECT_SECONDS = 60.0
CHECKS = {
    "pattern", "enum", "format", "maxLength", "minItems", "maxItems", "x-kubernetes-validations",
}  # fmt: skip


@contextmanager
def loosened(kubectl: Kubectl, plural: str, probe: dict[str, Any]) -> Iterator[None]:
    """Drop the checks of a kind until the end of the block.

    Args:
        kubectl: the administrator's.
        plural: of the kind.
        probe: an object that is stored without the checks, and never with them.
    """
    name = f"{plural}.skerry.dev"
    crd = kubectl.get("crd", name)
    crd["spec"]["versions"][0]["schema"] = _without_checks(crd["spec"]["versions"][0]["schema"])
    kubectl("replace", "--filename=-", stdin={**crd, "status": {}})
    try:
        _until(kubectl, probe, lambda code: code == 0)
        yield
    finally:
        file = ROOT / "crds" / f"skerry.dev_{plural}.yaml"
        kubectl("apply", "--server-side", "--force-conflicts", f"--filename={file}")
        _until(kubectl, probe, lambda code: code != 0)


def _until(kubectl: Kubectl, probe: dict[str, Any], reached: Callable[[int], bool]) -> None:
    words = ("create", "--dry-run=server", "--filename=-")
    look = lambda: kubectl.tried(*words, stdin=probe)  # noqa: E731
    wait_for("the CRD", look, lambda done: reached(done.returncode), TAKES_EFFECT_SECONDS)


def _without_checks(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_checks(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    # `properties` hold names of fields, one of which could be called as a check is.
    fields = schema.get("properties", {})
    kept = {key: _without_checks(part) for key, part in schema.items() if key not in CHECKS}
    named = {name: _without_checks(part) for name, part in fields.items()}
    return kept | ({"properties": named} if fields else {})
