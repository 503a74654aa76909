"""What a job's last container reports to the operator: a result that fits a termination message.

A container may write 4096 bytes, but the kubelet cuts the messages of a pod to 12 KiB in all, shared
equally: 1536 bytes for each of the eight containers of an optimization job (`normalizeStatus` in
Kubernetes' pkg/kubelet/status/status_manager.go, v1.36). Half a JSON document is worth nothing, so a
long summary is compressed, and what still does not fit is left out in an order of least loss. The
full report lies with the artifact.
"""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from skerry.api.common import Digest, Message, Model
from skerry.api.modelvariant import GateResult, RecipeResult, VariantArtifact
from skerry.jobs.stages import PACK, message_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from skerry.api.modelvariant import Interval
    from skerry.jobs.plans import RegistryAccess

MESSAGE_BYTES = message_bytes(PACK)
"""Greatest length, 1117."""

SUMMARY_BYTES = 2**20
"""Of an unpacked summary; a long one has some twenty thousand."""

COMPRESSED = "zlib:"
DECIMALS = 4
SHORT_MESSAGE = 120
LEAST_MESSAGE = 40


class JobSummary(Model):
    """Termination message of the pack stage: at most 4096 bytes of JSON."""

    recipe_results: Annotated[tuple[RecipeResult, ...], Field(max_length=32)] = ()
    chosen: str | None = None
    certified: RecipeResult | None = None
    gates: tuple[GateResult, ...] = ()
    artifact: VariantArtifact | None = None
    model_digest: Digest | None = None
    baseline: str = ""
    engine_version: str = ""
    reused: bool = False
    hardware_class: str = Field(default="", description="Class that it was measured on.")
    node: str = Field(default="", description="Node that it was measured on.")
    message: Message = ""

    def in_image(self, registry: RegistryAccess, digest: str) -> JobSummary:
        """Return the summary with its artifact, when a build was chosen: an image can't name itself."""
        if self.chosen is None:
            return self
        image = f"{registry.address}/{registry.repository}@{digest}"
        return self.model_copy(update={"artifact": VariantArtifact(image=image, digest=digest)})


class FetchReport(Model):
    """Termination message of the last stage, when it went well."""

    digest: Digest = Field(description="Of the manifest to mount.")
    image: str | None = Field(
        default=None, description="HOST/REPOSITORY of the fetched image; unset for oci images."
    )
    content: Digest | None = Field(
        default=None,
        description="What a pin would say; unset for oci images, where `digest` says it.",
    )
    resolved: str = Field(
        default="", description="What the server calls this version: revision, ETag, generation."
    )
    bytes: int = 0
    files: int = 0
    reused: bool = Field(default=False, description="The same version had been fetched before.")


def encode_summary(summary: JobSummary, limit: int = MESSAGE_BYTES) -> str:
    """Return a text of at most `limit` bytes that `decode_summary` reads.

    Kept whatever happens are the chosen recipe, its artifact and the model's digest.

    Raises:
        ValueError: Not even these fit.
    """
    for shorter in _shortened(summary):
        text = _text(shorter, limit)
        if len(text.encode()) <= limit:
            return text
    raise ValueError(f"a summary of the bare result does not fit {limit} bytes")


def decode_summary(text: str) -> JobSummary:
    """Read what `encode_summary` wrote.

    Raises:
        ValueError: It is no summary, or was cut off.
    """
    if not text.startswith(COMPRESSED):
        return JobSummary.model_validate_json(text)
    try:
        packed = base64.b85decode(text.removeprefix(COMPRESSED))
        return JobSummary.model_validate_json(_unpacked(packed))
    except zlib.error as error:
        raise ValueError(f"the summary was cut off or damaged: {error}") from error


def _unpacked(packed: bytes) -> bytes:
    """Unpack a summary that anybody may have pushed, up to a bound."""
    unpacking = zlib.decompressobj()
    plain = unpacking.decompress(packed, SUMMARY_BYTES)
    if unpacking.unconsumed_tail:
        raise ValueError(f"the summary is longer than {SUMMARY_BYTES} bytes")
    if not unpacking.eof:
        raise ValueError("the summary was cut off")
    return plain


def _text(summary: JobSummary, limit: int) -> str:
    """Return plain JSON where it fits: people read it with kubectl."""
    plain = summary.model_dump_json(by_alias=True, exclude_none=True, exclude_defaults=True)
    if len(plain.encode()) <= limit:
        return plain
    return COMPRESSED + base64.b85encode(zlib.compress(plain.encode(), 9)).decode()


def _shortened(summary: JobSummary) -> Iterator[JobSummary]:
    """Yield the summary, then ever shorter ones."""
    yield summary
    steps: tuple[Callable[[JobSummary], JobSummary], ...] = (
        lambda one: _with_recipe_results(one, _rounded),
        lambda one: _with_messages(one, SHORT_MESSAGE),
        lambda one: _with_recipe_results(one, _without_raw),
        lambda one: _with_messages(one, LEAST_MESSAGE),
        lambda one: _with_messages(one, 0),
    )
    for step in steps:
        summary = step(summary)
        yield summary
    while summary.recipe_results:
        summary = summary.model_copy(update={"recipe_results": _without_least(summary)})
        yield summary
    while summary.gates:
        summary = summary.model_copy(update={"gates": summary.gates[:-1]})
        yield summary
    keep = ("chosen", "artifact", "model_digest", "reused")
    yield JobSummary(**{name: getattr(summary, name) for name in keep})


def _with_recipe_results(
    summary: JobSummary, change: Callable[[RecipeResult], RecipeResult]
) -> JobSummary:
    certified = summary.certified and change(summary.certified)
    recipe_results = tuple(change(recipe_result) for recipe_result in summary.recipe_results)
    return summary.model_copy(update={"certified": certified, "recipe_results": recipe_results})


def _with_messages(summary: JobSummary, length: int) -> JobSummary:
    """Cut the messages of recipe results and gates to `length` characters; the summary's own stays longer."""

    def cut(one: RecipeResult) -> RecipeResult:
        return one.model_copy(update={"message": shortened(one.message, length)})

    def cut_gate(one: GateResult) -> GateResult:
        return one.model_copy(update={"message": shortened(one.message, length)})

    own = shortened(summary.message, length * 4 or SHORT_MESSAGE)
    update = {"message": own, "gates": tuple(cut_gate(gate) for gate in summary.gates)}
    return _with_recipe_results(summary.model_copy(update=update), cut)


def shortened(message: str, length: int) -> str:
    """Cut a message to `length` characters, with a sign that it was."""
    if len(message) <= length:
        return message
    return f"{message[: length - 1]}…" if length else ""


def _rounded(recipe_result: RecipeResult) -> RecipeResult:
    names = ("quality", "cosine", "movement", "speedup", "memory_reduction")
    update = {name: _round_interval(getattr(recipe_result, name)) for name in names}
    return recipe_result.model_copy(update=update)


def _round_interval(interval: Interval | None) -> Interval | None:
    if interval is None:
        return None
    bounds = {name: _round(getattr(interval, name)) for name in ("value", "low", "high")}
    return interval.model_copy(update=bounds)


def _round(decimal: str) -> str:
    return f"{float(decimal):.{DECIMALS}f}"


def _without_raw(recipe_result: RecipeResult) -> RecipeResult:
    return recipe_result.model_copy(update={"p50_milliseconds": None, "memory_bytes": 0})


def _without_least(summary: JobSummary) -> tuple[RecipeResult, ...]:
    """Leave out the last recipe result that was not chosen; the chosen one goes last."""
    others = [
        recipe_result
        for recipe_result in summary.recipe_results
        if recipe_result.recipe != summary.chosen
    ]
    gone = others[-1] if others else summary.recipe_results[-1]
    return tuple(
        recipe_result for recipe_result in summary.recipe_results if recipe_result is not gone
    )
