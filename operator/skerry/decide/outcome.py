"""What a pass found and decided for one target, and the story that it tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.decide.rollout.report import Story

if TYPE_CHECKING:
    from skerry.decide.build.builds import TargetBuild
    from skerry.decide.rollout.model import TargetDecision


@dataclass(frozen=True)
class TargetOutcome:
    """What a pass found and decided for one target."""

    build: TargetBuild
    rollout: TargetDecision

    @property
    def name(self) -> str:
        """Return the name of the HardwareClass."""
        return self.build.hardware_class

    @property
    def reachable(self) -> int:
        """Return the number of nodes that are expected to answer."""
        return self.rollout.counts.desired - self.rollout.counts.offline

    @property
    def story(self) -> Story:
        """Return the build's story until it is certified, then the rollout's."""
        build, rollout = self.build, self.rollout
        if build.phase is None:
            return Story(rollout.phase, rollout.reason, rollout.message)
        return Story(build.phase, build.reason, build.message + self._meanwhile())

    def _meanwhile(self) -> str:
        """Say what stable does until there is another certified build, by what its nodes report."""
        stable, counts = self.rollout.stable, self.rollout.counts
        if not stable:
            return ""
        if counts.ready:
            return f"; {stable} continues to serve on {counts.ready} of {self.reachable} reachable nodes"
        return f"; {stable} answers on {'no reachable node' if counts.offline else 'no node'}"
