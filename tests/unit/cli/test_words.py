"""Ages, marks in annotations, and the tree's lines on objects that are not there yet."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from skerry.api import EdgeNode, ModelRoute
from skerry.api.actions import Mark, join, marks
from skerry.api.attempt import Attempt
from skerry.cli.reading import Picture
from skerry.cli.status.tree import tree
from skerry.cli.status.words import age
from tests.unit.cli.measured import CHOICE, NOW, measured_picture, picture_of_two_engines

a_mark = st.builds(
    Mark,
    st.builds(
        Attempt,
        st.text("0123456789abcdef", min_size=10, max_size=10),
        st.integers(0, 10**6),
    ),
    st.text("abc-_.Z09", max_size=32),
)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (7199, "120m"), (7200, "2h"), (200_000, "2d")],
)
def test_ages(seconds: int, said: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == said


@settings(deadline=None)
@given(st.lists(a_mark).map(tuple))
def test_marks_are_read_as_they_were_written(found: tuple[Mark, ...]) -> None:
    assert marks({"key": join(found)}, "key") == found


@pytest.mark.parametrize("text", ["", "foo", "0123456789:x", "012345678", "0123456789 1", "é" * 10])
def test_words_that_are_no_marks_are_left_out(text: str) -> None:
    assert marks({"key": text}, "key") == ()
    assert marks({}, "key") == ()


def shown(picture: Picture) -> str:
    printed = Console(width=200)
    with printed.capture() as caught:
        printed.print(tree(picture, NOW))
    return caught.get()


def test_the_tree_of_a_measured_model() -> None:
    said = shown(measured_picture())
    assert "demo/minilm  Serving" in said
    assert "build minilm-x86-b  ONNXRuntime" in said
    assert "0 nodes: 0 updated, 0 ready" in said


def test_the_tree_of_two_engines_shows_both_builds_the_choice_and_the_front() -> None:
    said = shown(picture_of_two_engines())
    assert re.search(r"build minilm-x86-b-openvino  OpenVINO  GatesPassed  chosen\n", said)
    assert re.search(r"build minilm-x86-b  ONNXRuntime  .*(?<!chosen)\n", said)
    assert f"choice: {CHOICE}" in said
    assert (
        "OpenVINO weight-int8-block128: 2.600x as fast, quality 0.981, memory saved 0.410" in said
    )


def test_devices_that_may_not_be_seen_are_reported() -> None:
    picture = measured_picture()
    hidden = Picture(picture.model, picture.routes, picture.variants, None)
    assert "your user can't list edgenodes" in shown(hidden)


def device(name: str, shard: int) -> EdgeNode:
    """Return a device whose agent waits for a pod of the candidate."""
    tried = {"revision": "aaaaaaaaaa", "attempt": 0, "state": "Waiting"}
    model = {"namespace": "demo", "name": "minilm", "serving": "0123456789", "candidate": tried}
    spec = {"hardwareClassName": "x86-b", "shard": shard}
    return EdgeNode.model_validate(
        {"metadata": {"name": name}, "spec": spec, "status": {"models": [model]}}
    )


def test_only_devices_for_which_a_wave_has_opened_wait_for_the_candidate() -> None:
    opened = {"revision": "aaaaaaaaaa", "kind": "In", "shards": [3]}
    spec = {"edgeModelName": "minilm", "hardwareClassName": "x86-b", "placements": [opened]}
    route = ModelRoute.model_validate({"metadata": {"name": "minilm.x86-b"}, "spec": spec})
    picture = measured_picture()
    nodes = (device("in-it", 3), device("not-yet", 4))
    said = shown(Picture(picture.model, (route,), picture.variants, {"x86-b": nodes}))
    assert "in-it: aaaaaaaaaa Waiting" in said
    assert "not-yet" not in said


def test_a_model_that_nobody_looked_at_yet() -> None:
    model = measured_picture().model
    fresh = model.model_copy(update={"status": type(model.status)()})
    assert "the operator has not reconciled it yet" in shown(Picture(fresh))
