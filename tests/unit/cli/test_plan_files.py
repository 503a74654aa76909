"""Manifests as people write them: each mistake is reported with its place, before a cluster is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from skerry.cli.errors import CliError
from skerry.cli.plan.files import read_manifests
from tests.cluster.manifests import MINIMAL, changed

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spec.gates": {"qualty": "0.97"}}, "spec.gates.qualty: there is no such field"),
        ({"spec.targets": [{"hardwareClassName": "a", "hardware_class_name": "a"}]},
         "spec.targets[0].hardware_class_name: there is no such field"),
        ({"spec.gates": {"quality": 0.97}}, 'spec.gates.quality: this is text, so write it in quotes: "0.97"'),
        ({"spec.rollout": {"soak": 20}}, 'spec.rollout.soak: this is text, so write it in quotes: "20"'),
        ({"spec.evaluation.metric": "auc"}, "spec.evaluation.metric: Input should be 'Accuracy'"),
        ({"spec.gates": {"quality": "97"}}, "must be above 0 and at most 1"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_its_field(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(yaml.safe_dump(changed(MINIMAL, change)))
    with pytest.raises(CliError) as caught:
        read_manifests([str(file)])
    assert message in caught.value.what
    assert caught.value.where == str(file)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.yaml")), ids=lambda p: p.parent.name)
def test_the_examples_have_none(path: Path) -> None:
    if any(one["kind"] == "EdgeModel" for one in yaml.safe_load_all(path.read_text())):
        assert read_manifests([str(path)]).models
