"""The node's word on one model, as it stands in EdgeNode.status; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.edgenode import CandidateState, NodeCandidate, NodeModel
from skerry_agent import plan

if TYPE_CHECKING:
    from skerry.api.modelroute import ModelRoute
    from skerry_agent.plan import Memory


def node_model(route: ModelRoute, memory: Memory, up: frozenset[str]) -> NodeModel:
    """What the operator reads of this model on this node."""
    spec = route.spec
    given = plan.shares(spec, memory, up)
    stable = spec.stable.revision if spec.stable else None
    return NodeModel(
        namespace=route.metadata.namespace or "",
        name=spec.edge_model,
        observed_route=route.metadata.generation or 0,
        serving=max(given, key=lambda revision: given[revision]) if given else None,
        stable=stable,
        healthy=stable is not None and stable in up,
        candidate=_candidate(route, memory, given),
        vetoes=memory.vetoes,
        message=plan.message(spec, memory, up) or plan.awaited(spec, memory),
    )


def _candidate(route: ModelRoute, memory: Memory, given: dict[str, int]) -> NodeCandidate | None:
    """The trial; one of a promoted revision only once it failed."""
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
