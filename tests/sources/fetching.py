"""Runs both stages of a fetch job by hand, in folders of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from skerry.api.artifact import Role
from skerry.artifacts.images import RegistryClient
from skerry.jobs.plans import FetchPlan
from skerry.jobs.results import FetchReport
from skerry.jobs.scratch import Workspace
from skerry_fetcher.stages import fetch, look

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.optimizer.registries import Registry

MORE = 10_000_000


@dataclass
class Job:
    """A fetch job without its pod."""

    folder: Path
    registry: Registry
    secret: dict[str, str] = field(default_factory=dict)

    def plan(self, uri: str, **more: Any) -> FetchPlan:
        """Return a plan for the test's own repository."""
        name = "reader" if self.secret else None
        repository = f"skerry/test/{self.folder.name.replace('_', '-')[-40:].strip('-')}"
        given = {"role": Role.SOURCE, "size_limit": MORE, "secret": name, **more}
        return FetchPlan(uri=uri, registry=self.registry.access(repository), **given)

    @property
    def workspace(self) -> Workspace:
        """The pod's folders, with the Secret's keys as files."""
        found = Workspace(
            scratch=self.folder / "scratch",
            credentials=self.folder / "credentials",
            claim=self.folder / "claim",
        )
        for folder in (found.scratch, found.credentials, found.claim):
            folder.mkdir(exist_ok=True)
        for key, value in self.secret.items():
            (found.credentials / key).write_text(value)
        return found

    def looks(self, plan: FetchPlan) -> str:
        """Run the first stage alone."""
        return look(plan, self.workspace)

    def fetches(self, plan: FetchPlan) -> FetchReport:
        """Run both stages."""
        look(plan, self.workspace)
        return self.fetches_looked(plan)

    def fetches_looked(self, plan: FetchPlan) -> FetchReport:
        """Run the second stage alone."""
        return FetchReport.model_validate_json(fetch(plan, self.workspace))

    def brought(self, plan: FetchPlan, report: FetchReport) -> dict[str, bytes]:
        """Return the files that a job would find mounted, from the registry."""
        client = RegistryClient(plan.registry)
        image = client.find(report.digest)
        assert image is not None
        target = self.folder / "mounted"
        for layer in image.layers:
            client.pull(layer, target)
        return {
            file.relative_to(target).as_posix(): file.read_bytes()
            for file in target.rglob("*")
            if file.is_file()
        }
