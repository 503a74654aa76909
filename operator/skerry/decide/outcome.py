"""What a reconcile found and decided for one target, and how the status explains it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from skerry.api.edgemodel import Phase
from skerry.decide.build.state import BuildState
from skerry.decide.rollout.model import Story

if TYPE_CHECKING:
    from skerry.decide.build.builds import TargetBuild
    from skerry.decide.rollout.model import TargetDecision

# With several classes the phase is the first of these that holds for any (design/product.md).
PHASE_ORDER = (
    Phase.FAILED, Phase.ROLLED_BACK, Phase.PAUSED, Phase.ROLLING_OUT, Phase.OPTIMIZING, Phase.PENDING,
    Phase.SERVING,
)  # fmt: skip


@dataclass(frozen=True)
class TargetOutcome:
    """What a reconcile found and decided for one target."""

    build: TargetBuild
    rollout: TargetDecision

    def __str__(self) -> str:
        """Return the class and its message."""
        return f"{self.name}: {self.story.cause.message}"

    @property
    def name(self) -> str:
        """Return the name of the HardwareClass."""
        return self.build.hardware_class

    @property
    def reachable(self) -> int:
        """Return the number of nodes that are expected to answer."""
        return self.rollout.counts.desired - self.rollout.counts.offline

    @property
    def serves(self) -> bool:
        """Return whether the desired revision answers on every reachable node."""
        return self.story.phase is Phase.SERVING

    @property
    def story(self) -> Story:
        """Return the build's story until it is certified, then the rollout's."""
        state, cause = self.build.state, self.build.cause
        if state.phase is None:
            return self.rollout.story
        stalls = cause.stalls or state.has_failed
        cause = replace(cause, message=cause.message + self._meanwhile(), stalls=stalls)
        return Story(state.phase, cause, without_nodes=state is BuildState.WITHOUT_NODES)

    def _meanwhile(self) -> str:
        """Say what stable does until there is another certified build, by what its nodes report."""
        stable, counts = self.rollout.stable, self.rollout.counts
        if not stable:
            return ""
        if counts.ready:
            return f"; {stable} continues to serve on {counts.ready} of {self.reachable} reachable nodes"
        return f"; {stable} answers on {'no reachable node' if counts.offline else 'no node'}"
