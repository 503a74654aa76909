"""Manifests as people write them: each mistake is reported with its place, before a cluster is asked."""

from __future__ import annotations

import re
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
        ({"spec.evaluation.metric": "auc"},
         "spec.evaluation.metric: 'auc' is not one of the values that exist: 'Accuracy'"),
        ({"spec.source.uri": "ftp://x/y"}, "spec.source.uri: 'ftp://x/y' is not a URI: oci://, "),
        ({"spec.rollout": {"soak": "20 minutes"}},
         "spec.rollout.soak: '20 minutes' is not a duration such as 30s, 10m or 1h30m"),
        ({"spec.rollout": {"waves": ["5%"]}},
         "spec.rollout.waves[0]: must be an object: fields with values, each as name: value in a line of"),
        ({"spec.rollout": {"waves": [{"percent": 0}]}},
         "spec.rollout.waves[0].percent: must be at least 1; it is 0"),
        ({"spec.targets": []}, "spec.targets: must have at least 1 entries; it has 0"),
        ({"spec.source": {}}, "spec.source.uri: is missing, and must be set"),
        ({"spec.optimization": "fast"}, "spec.optimization: must be an object: "),
        ({"spec.suspend": "yes"}, "spec.suspend: must be true or false; it is 'yes'"),
        ({"spec.evalution": {}}, "spec.evalution: there is no such field: did you mean evaluation?"),
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


@pytest.mark.parametrize(
    ("change", "reported"),
    [
        ({"spec.evaluation": None, "spec.evalution": {"uri": "oci://a/b:1"}}, ["spec.evalution: "]),
        ({"spec.targets": [{"hardwareClass": "a"}]}, ["spec.targets[0].hardwareClass: "]),
        ({"spec.rollout": {"waves": ["5%"]}}, ["spec.rollout.waves[0]: "]),
    ],
)
def test_what_follows_from_a_mistake_is_not_another(
    change: dict[str, object], reported: list[str], tmp_path: Path
) -> None:
    """A misspelled field is not missing as well, and a list of a wrong entry is not empty as well."""
    manifest = changed(MINIMAL, change)
    manifest["spec"] = {key: value for key, value in manifest["spec"].items() if value is not None}
    file = tmp_path / "model.yaml"
    file.write_text(yaml.safe_dump(manifest))
    with pytest.raises(CliError) as caught:
        read_manifests([str(file)])
    said = re.findall(r"(?:^|; )(spec[^ ]*: )", caught.value.what)
    assert said == reported


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.yaml")), ids=lambda p: p.parent.name)
def test_the_examples_have_none(path: Path) -> None:
    if any(one["kind"] == "EdgeModel" for one in yaml.safe_load_all(path.read_text())):
        assert read_manifests([str(path)]).models
