"""An example's jobs as the operator plans and renders them, with folders of this machine as mounts."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from skerry.api.artifact import Role
from skerry.api.config import OperatorConfig
from skerry.api.modelvariant import PinnedArtifact
from skerry.artifacts.images import Image, RegistryClient, pack_folder
from skerry.decide.decision import AssessJob
from skerry.decide.snapshot import Pin, Pins
from skerry.jobs.plans import RegistryAccess
from skerry.render.jobs import assess_job, optimization_job
from skerry.render.parts import Owner
from skerry_optimizer.__main__ import main as optimizer
from skerry_runtime.measure.__main__ import main as measure
from tests.unit.decide.plan_world import CONFIG, World, world

if TYPE_CHECKING:
    import pytest

    from skerry.render.parts import Object
    from tests.unit.optimizer.registries import Registry

ROOT = Path(__file__).parents[2]
CLASS = "x86-a"
PROGRAMS = {"skerry_optimizer": optimizer, "skerry_runtime.measure": measure}


def run_script(example: str, out: Path) -> Path:
    """Run an example's script, as its README says; returns its OUTDIR."""
    command = [sys.executable, "-m", f"examples.{example}.make", str(out)]
    subprocess.run(command, check=True, cwd=ROOT)
    return out


@dataclass(frozen=True)
class LocalJobs:
    """Runs the jobs of one example.

    Attributes:
        made: What its script has made: the folders `model` and `dataset`.
        scratch: A new folder for each job.
        registry: Takes the images, and what the jobs push.
    """

    made: Path
    scratch: Path
    registry: Registry
    environment: pytest.MonkeyPatch

    def world(self, manifest: str) -> World:
        """Return the EdgeModel of a manifest below examples/ on a cluster with one node of its class."""
        spec = yaml.safe_load((ROOT / "examples" / manifest).read_text())["spec"]
        registry = {"address": self.registry.address, "insecure": True}
        config = OperatorConfig.model_validate(CONFIG.to_wire() | {"registry": registry})
        folders = {
            Role.SOURCE: ("model", spec["source"]["uri"]),
            Role.DATASET: ("dataset", spec["evaluation"]["dataset"]["uri"]),
        }
        known = {
            role: Pin(PinnedArtifact(uri=uri, digest=self._push(folder, uri)))
            for role, (folder, uri) in folders.items()
        }
        return world(CLASS, **spec).with_(config=config, pins=Pins(known))

    def until_built(self, start: World) -> World:
        """Run each job that the operator asks for, until it asks for none."""
        state = start.step()
        for _ in range(2):
            name = state.snapshot.jobs[-1].name
            state = state.job_ends(self._run(state, state.jobs[name])).step()
        return state

    def _push(self, folder: str, uri: str) -> str:
        repository, tag = re.fullmatch(r"oci://[^/]+/(.+):(.+)", uri).groups()  # type: ignore[union-attr]
        access = RegistryAccess(address=self.registry.address, repository=repository, insecure=True)
        layer = pack_folder(self.made / folder, self.scratch / f"{folder}.tar")
        return RegistryClient(access).push(Image((layer,)), tag)

    def _run(self, state: World, job: Any) -> str:
        """Run all containers of a job in turn; returns the last one's termination message."""
        owner, config = Owner("intent", "assist", "u1"), state.snapshot.config
        assessing = isinstance(job, AssessJob)
        made = assess_job(owner, job, config) if assessing else optimization_job(owner, job, config)
        pod = made["spec"]["template"]["spec"]
        log = self.scratch / "termination-log"
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            self._mount(container, log)
            _python, _m, program, *arguments = container["command"]
            assert PROGRAMS[program](arguments) == 0, f"{container['name']}: {log.read_text()}"
        return log.read_text()

    def _mount(self, container: Object, log: Path) -> None:
        """Put the container's environment in place, with the mounts' paths on this machine."""
        scratch = self.scratch / "scratch"
        (scratch / "tmp").mkdir(parents=True, exist_ok=True)
        given = {one["name"]: one["value"] for one in container["env"] if "value" in one}
        mounts = {
            "HOME": scratch,
            "TMPDIR": scratch / "tmp",
            "SKERRY_SOURCE_DIR": self.made / "model",
            "SKERRY_DATASET_DIR": self.made / "dataset",
            "SKERRY_SCRATCH_DIR": scratch,
            "SKERRY_TERMINATION_LOG": log,
            "NODE_NAME": "this-machine",
        }
        for name, value in (given | mounts).items():
            self.environment.setenv(name, str(value))
