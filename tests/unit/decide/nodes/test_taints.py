"""Which taints keep Skerry's pods from a node."""

from __future__ import annotations

import pytest

from skerry.api.config import DeviceSettings
from skerry.decide.nodes.taints import Taint, tolerated, untolerated

EDGE = Taint("dedicated", "edge")


@pytest.mark.parametrize(
    ("toleration", "tolerates"),
    [
        ({"key": "dedicated", "operator": "Equal", "value": "edge"}, True),
        ({"key": "dedicated", "value": "edge"}, True),
        ({"key": "dedicated", "operator": "Exists"}, True),
        ({"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "dedicated", "value": "other"}, False),
        ({"key": "dedicated"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_a_toleration_covers_a_taint_as_in_kubernetes(
    toleration: dict[str, str], *, tolerates: bool
) -> None:
    settings = DeviceSettings.model_validate({"tolerations": [toleration]})
    found = untolerated([EDGE], tolerated(settings.tolerations))
    assert found == (None if tolerates else EDGE)


@pytest.mark.parametrize(
    ("taint", "keeps_out"),
    [
        (Taint("node-role.kubernetes.io/control-plane"), True),
        (Taint("node.cloudprovider.kubernetes.io/uninitialized", "true"), True),
        (Taint("dedicated", "edge", "NoExecute"), True),
        (Taint("dedicated", "edge", "PreferNoSchedule"), False),
        (Taint("node.kubernetes.io/unschedulable"), False),
        (Taint("node.kubernetes.io/disk-pressure"), False),
        (Taint("node.kubernetes.io/not-ready", effect="NoExecute"), False),
        (Taint("node.kubernetes.io/unreachable", effect="NoExecute"), False),
    ],
)
def test_daemons_tolerate_some_taints_by_themselves(taint: Taint, *, keeps_out: bool) -> None:
    """A cordoned node, or one short of disk, still gets the pods of DaemonSets."""
    assert (untolerated([taint], ()) is not None) is keeps_out


def test_a_taint_is_written_as_kubectl_takes_it() -> None:
    assert str(EDGE) == "dedicated=edge:NoSchedule"
    assert str(Taint("control-plane", effect="NoExecute")) == "control-plane:NoExecute"
