"""A job's summary fits what the kubelet keeps of a termination message, whatever is in it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.api.modelvariant import (
    GateOutcome,
    GateResult,
    Interval,
    RecipeOutcome,
    RecipeResult,
    VariantArtifact,
)
from skerry.jobs.results import (
    COMPRESSED,
    MESSAGE_BYTES,
    JobSummary,
    decode_summary,
    encode_summary,
)
from skerry.precision import Precision
from tests.unit.optimizer.models import make_recipe_result

DIGEST = "sha256:" + "f" * 64

decimals = st.decimals(-1000, 1000, places=9).map("{:f}".format)
intervals = st.builds(Interval, value=decimals, low=decimals, high=decimals)
messages = st.text(max_size=1024)
recipe_results = st.builds(
    RecipeResult,
    recipe=st.text(max_size=40),
    precision=st.sampled_from(Precision),
    outcome=st.sampled_from(RecipeOutcome),
    quality=intervals,
    speedup=intervals,
    memory_reduction=st.none() | intervals,
    p50_milliseconds=decimals,
    message=messages,
)
gates = st.builds(
    GateResult,
    name=st.text(max_size=40),
    required=st.booleans(),
    threshold=decimals,
    outcome=st.sampled_from(GateOutcome),
    observed=intervals,
    message=messages,
)
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-./:", min_size=1, max_size=300)
artifacts = st.builds(
    VariantArtifact, image=names.map(lambda name: f"{name}@{DIGEST}"), digest=st.just(DIGEST)
)
summaries = st.builds(
    JobSummary,
    recipe_results=st.lists(recipe_results, max_size=32, unique_by=lambda one: one.recipe).map(
        tuple
    ),
    chosen=st.none() | st.text("abcdefghijklmnopqrstuvwxyz0123456789-", max_size=40),
    certified=st.none() | recipe_results,
    gates=st.lists(gates, max_size=8, unique_by=lambda one: one.name).map(tuple),
    artifact=st.none() | artifacts,
    model_digest=st.none() | st.just(DIGEST),
    baseline=messages,
    engine_version=st.text(max_size=40),
    reused=st.booleans(),
    message=messages,
)


@given(summary=summaries)
def test_any_summary_fits_and_keeps_its_result(summary: JobSummary) -> None:
    text = encode_summary(summary)
    assert len(text.encode()) <= MESSAGE_BYTES
    found = decode_summary(text)
    keep = ("chosen", "artifact", "model_digest", "reused")
    assert [getattr(found, name) for name in keep] == [getattr(summary, name) for name in keep]
    kept = {result.recipe for result in found.recipe_results}
    assert kept <= {result.recipe for result in summary.recipe_results}


def realistic(count: int = 8) -> dict[str, Any]:
    recipes = [f"recipe-{place}-block128" for place in range(count)]
    figures = Interval(value="1.4732911", low="1.4120012", high="1.5310981")
    gate = GateResult(
        name="memoryReduction", required=True, threshold="0.4", outcome=GateOutcome.PASS,
        observed=figures, message="memoryReduction 1.47 (1.41 to 1.53) holds 0.40",
    )  # fmt: skip
    return {
        "recipe_results": tuple(
            make_recipe_result(recipe, "11 graphs optimized") for recipe in recipes
        ),
        "chosen": recipes[0],
        "certified": make_recipe_result(recipes[0]),
        "gates": tuple(gate.model_copy(update={"name": f"gate{place}"}) for place in range(7)),
        "artifact": VariantArtifact(image=f"10.0.0.1:5000/a/b@{DIGEST}", digest=DIGEST),
        "model_digest": DIGEST,
        "message": "recipe-0-block128 passes every required gate",
    }


def test_a_usual_job_loses_nothing_but_digits() -> None:
    summary = JobSummary(**realistic())
    found = decode_summary(encode_summary(summary))
    assert [result.recipe for result in found.recipe_results] == [
        result.recipe for result in summary.recipe_results
    ]
    assert found.gates == summary.gates
    assert found.certified is not None
    assert found.certified.speedup is not None
    assert float(found.certified.speedup.value) == pytest.approx(1.2346, abs=1e-4)


def test_a_short_summary_is_plain_json_for_people() -> None:
    text = encode_summary(JobSummary(chosen=None, message="no candidate passed"))
    assert json.loads(text) == {"message": "no candidate passed"}


def test_the_chosen_recipe_result_is_left_out_last() -> None:
    names = (hashlib.sha256(bytes([place])).hexdigest()[:40] for place in range(32))
    recipe_results = tuple(make_recipe_result(name) for name in names)
    summary = JobSummary(recipe_results=recipe_results, chosen=recipe_results[-1].recipe)
    found = decode_summary(encode_summary(summary, limit=600))
    assert summary.chosen in {result.recipe for result in found.recipe_results}
    assert len(found.recipe_results) < len(recipe_results)


def test_a_summary_that_was_cut_off_is_refused() -> None:
    text = encode_summary(JobSummary(**realistic(16)))
    assert text.startswith(COMPRESSED)
    with pytest.raises(ValueError, match="cut off"):
        decode_summary(text[:-200])
    with pytest.raises(ValueError, match="JSON"):
        decode_summary('{"chosen": "a')


def test_a_limit_that_can_not_be_held_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not fit 10 bytes"):
        encode_summary(JobSummary(**realistic()), limit=10)
