"""The chart's generated files are fresh, the board is one that Grafana knows, and the alerts do what they say."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from charts.tools import readme
from charts.tools.__main__ import CHART, files
from charts.tools.dashboard import ROWS
from skerry.render import rolebindings

RULES = CHART / "files" / "rules.yaml"
RULES_TEST = Path(__file__).with_name("rules.test.yaml")


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.name))
def test_files_are_fresh(path: Path) -> None:
    assert path.read_text() == files()[path], "run: make chart"


def test_the_way_to_take_everything_away_names_the_rolebinding_that_the_operator_makes() -> None:
    lines = (CHART / "README.md").read_text().splitlines()
    (command,) = (line for line in lines if line.startswith("kubectl delete rolebindings "))
    assert command.endswith(f" --field-selector metadata.name={rolebindings.NAME}")
    assert any(line.startswith(f"| a RoleBinding `{rolebindings.NAME}` in each") for line in lines)


def test_a_value_that_nobody_explains_is_refused(tmp_path: Path) -> None:
    chart = tmp_path / "skerry"
    chart.mkdir()
    (chart / "values.yaml").write_text("described: 1\n\n# Why.\nalso: 2\n\nsilent: 3\n")
    schema = {"properties": {name: {"type": "integer"} for name in ("described", "also", "silent")}}
    schema["properties"]["described"]["description"] = "What."
    (chart / "values.schema.json").write_text(json.dumps(schema))
    with pytest.raises(ValueError, match="says nothing about `silent`"):
        readme.render(chart)


def test_the_board_is_what_grafana_knows() -> None:
    """Read by Grafana's own models and written again nothing is lost: no field is unknown to them."""
    register_default_plugins()
    board = json.loads((CHART / "files" / "dashboard.json").read_text())
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
    assert again == board
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len(panels) == sum(map(len, ROWS.values()))
    assert len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["type"] in {"stat", "timeseries"}
        assert [target["expr"] for target in panel["targets"]] != [""]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


def test_the_alerts_are_well_formed_and_tell_what_to_do() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", RULES], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    alerts = [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]
    tested = RULES_TEST.read_text()
    for alert in alerts:
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert alert["annotations"].keys() == {"summary", "description"}
        assert alert["alert"] in tested, "every alert has a test"


def test_the_alerts_fire_on_what_they_are_for(tmp_path: Path) -> None:
    test = tmp_path / "test.yaml"
    test.write_text(RULES_TEST.read_text().replace("RULES", str(RULES)))
    done = subprocess.run(
        ["promtool", "test", "rules", test], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
