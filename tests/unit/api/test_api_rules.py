"""The models refuse what the API server refuses, and take what it takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from skerry.api import KINDS, EdgeModel
from skerry.api.common import Condition, ConditionStatus, Model
from tests.cluster.manifests import BAD, HARDWARE_CLASS, MINIMAL, NODE, ROUTE, VARIANT, changed

if TYPE_CHECKING:
    from tests.cluster.manifests import Bad, Manifest

BY_NAME = {kind.__name__: kind for kind in KINDS}


@pytest.mark.parametrize(
    "good", [MINIMAL, HARDWARE_CLASS, ROUTE, VARIANT, NODE], ids=lambda m: m["kind"]
)
def test_good_ones_are_taken(good: Manifest) -> None:
    kind = BY_NAME[good["kind"]]
    once = kind.model_validate(good)
    assert kind.model_validate(once.to_wire()) == once


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_bad_ones_are_refused(bad: Bad) -> None:
    with pytest.raises(ValidationError):
        BY_NAME[bad.base["kind"]].model_validate(bad.manifest())


def test_rules_say_the_same_on_both_sides() -> None:
    written = {rule.message for kind in _models(Model) for rule in kind.invariants}
    text = {bad.name for bad in BAD for message in written if bad.says in message}
    assert len(text) >= 20, "messages of the rules are compared with what the API server says"
    for bad in BAD:
        if bad.name in text:
            with pytest.raises(ValidationError) as refused:
                BY_NAME[bad.base["kind"]].model_validate(bad.manifest())
            assert bad.says in str(refused.value)


def test_null_is_left_out() -> None:
    model = EdgeModel.model_validate(changed(MINIMAL, {"spec.rollout": {"soak": None}}))
    assert model.spec.rollout.soak == "10m"


def test_a_time_without_zone_is_refused() -> None:
    naive = datetime(2026, 11, 23, 12, 0)  # noqa: DTZ001 - what is tested
    with pytest.raises(ValidationError, match="timezone"):
        Condition(
            type="Ready", status=ConditionStatus.TRUE, last_transition_time=naive, reason="Serving"
        )


def test_a_long_message_is_cut() -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    kept = Condition(
        type="Ready",
        status=ConditionStatus.TRUE,
        last_transition_time=at,
        reason="Serving",
        message="m" * 2000,
    )
    assert kept.message == "m" * 1023 + "\u2026"


def _models(base: type[Model]) -> list[type[Model]]:
    below = base.__subclasses__()
    return below + [deep for kind in below for deep in _models(kind)]
