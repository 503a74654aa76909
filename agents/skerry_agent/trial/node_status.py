"""What the node reports of its models, as it stands in EdgeNode.status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.edgenode import CandidateState, NodeCandidate, NodeModel
from skerry_agent.trial import traffic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.api.modelroute import ModelRoute, ModelRouteSpec
    from skerry_agent.trial.memory import Memory


MOST_MODELS = 256
MOST_BYTES = 1 << 20
"""Of all models together: the API server takes objects of 1.5 MB, with its own notes on each field."""
_UNDER_WAY = frozenset(
    {CandidateState.SHIFTING, CandidateState.SOAKING, CandidateState.SMOKE_CHECK}
)


def node_model(
    route: ModelRoute, memory: Memory, up: frozenset[str], trouble: str = ""
) -> NodeModel:
    """Return what the operator reads of this model on this node; `trouble` comes last in its message."""
    spec = route.spec
    given = traffic.shares(spec, memory, up)
    stable = spec.stable.revision if spec.stable else None
    return NodeModel(
        namespace=route.metadata.namespace or "",
        name=spec.edge_model_name,
        edge_model_uid=memory.uid or None,
        observed_route_generation=route.metadata.generation or 0,
        serving=max(given, key=lambda revision: given[revision]) if given else None,
        stable=stable,
        healthy=stable is not None and stable in up,
        candidate=_candidate(route, memory, given),
        vetoes=memory.vetoes,
        message=_message(spec, memory, up, trouble),
    )


def _message(spec: ModelRouteSpec, memory: Memory, up: frozenset[str], trouble: str) -> str:
    said = traffic.message(spec, memory, up) or traffic.awaited(spec, memory)
    return "; ".join(part for part in (said, trouble) if part)


def _candidate(route: ModelRoute, memory: Memory, given: dict[str, int]) -> NodeCandidate | None:
    """Return the trial; one of a promoted revision only once it failed."""
    trial = memory.trial
    if trial is None or (route.spec.candidate is None and trial.state is not CandidateState.FAILED):
        return None
    return NodeCandidate(
        revision=trial.revision,
        attempt=trial.attempt,
        state=trial.state,
        traffic=given.get(trial.revision, 0),
        verdict=trial.verdict,
    )


def most_urgent(models: Iterable[NodeModel]) -> tuple[NodeModel, ...]:
    """Return the models that EdgeNode.status has room for, in order of their names.

    What failed comes first, then what is on trial, what does not serve, and what is steady.
    """
    chosen: list[NodeModel] = []
    size = 0
    for model in sorted(models, key=lambda model: (_urgency(model), _name(model))):
        size += len(model.model_dump_json(by_alias=True, exclude_none=True).encode())
        if len(chosen) == MOST_MODELS or size > MOST_BYTES:
            break
        chosen.append(model)
    return tuple(sorted(chosen, key=_name))


def _urgency(model: NodeModel) -> int:
    state = model.candidate.state if model.candidate else None
    if state is CandidateState.FAILED:
        return 0
    if state in _UNDER_WAY:
        return 1
    if state is not None:
        return 2
    return 4 if model.healthy and not model.message else 3


def _name(model: NodeModel) -> tuple[str, str]:
    return model.namespace, model.name
