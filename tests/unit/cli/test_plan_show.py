"""What `skerry plan` prints of a class whose nodes have told what they are."""

from __future__ import annotations

from rich.console import Console

from skerry.api import EdgeModel, HardwareClass
from skerry.cli.plan.show import plan
from skerry.cli.plan.source import UNREAD
from tests.cluster.manifests import MINIMAL

CLASS = {
    "metadata": {"name": "x86-vnni"},
    "spec": {"nodeSelector": {"site": "a"}, "constraints": {"link": "Metered"}},
    "status": {
        "facts": {
            "reported": 4,
            "features": ["avx2", "avx512_vnni"],
            "power": [{"value": "Mains", "nodes": 3}, {"value": "Battery", "nodes": 1}],
        }
    },
}


def test_a_plan_tells_what_was_found_and_what_constrains_it() -> None:
    model = EdgeModel.model_validate(MINIMAL)
    classes = {"x86-vnni": HardwareClass.model_validate(CLASS)}
    console = Console(width=400)
    with console.capture() as printed:
        console.print(plan(model, UNREAD, classes, None, None, in_cluster=False))
    said = printed.get()
    assert "found on all 4 nodes that reported: avx512_vnni" in said
    assert "constraint: battery: feeds 1 of 4 nodes now" in said
    assert "constraint: metered link (spec.constraints.link of x86-vnni)" in said
