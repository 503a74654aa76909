"""The same files from a real server of each scheme: brought in, over a line that breaks, and found again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from skerry.api.artifact import Role
from tests.sources.conftest import DATA, FILES, MODEL
from tests.sources.fetching import Job
from tests.sources.line import breaking_line
from tests.sources.servers import (
    ACCESS_KEY,
    BUCKET,
    HUB_COMMIT,
    HUB_REPOSITORY,
    PRIVATE_REPOSITORY,
    SECRET_KEY,
    TOKEN,
    Store,
    WebServer,
)

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.jobs.plans import FetchPlan
    from tests.unit.optimizer.registries import Registry

S3_SECRET = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": f"{SECRET_KEY}\n"}
SCHEMES = ("https", "http", "s3", "gs", "hf", "pvc")
WITH_FOLDERS = ("s3", "gs", "hf", "pvc")
OVER_A_LINE = ("https", "http", "s3", "gs", "hf")
ALLOWANCE = 700_000
IMAGE = "sha256:b2043fc05daf0dda5a6714a87095c4654158cbe3def972d1e875426d7b50859e"
"""Of MODEL as model.onnx: packing is reproducible, so it never changes."""


@dataclass
class Origins:
    """Makes jobs for each scheme."""

    folder: Path
    registry: Registry
    web: WebServer
    s3: Store
    gs: Store

    def port(self, scheme: str) -> int:
        """Return the server's port."""
        ports = {"https": self.web.tls_port, "s3": self.s3.port, "gs": self.gs.port}
        return ports.get(scheme, self.web.port)

    def job(
        self, scheme: str, path: str, port: int | None = None, **more: Any
    ) -> tuple[Job, FetchPlan]:
        """Return a job for a file or folder, and its plan; `port` leads to the server."""
        port = port or self.port(scheme)
        secrets = {"https": {"ca.crt": self.web.authority}, "s3": S3_SECRET}
        job = Job(self.folder, self.registry, secrets.get(scheme, {}))
        if scheme in {"https", "http"}:
            return job, job.plan(f"{scheme}://127.0.0.1:{port}/{path}", **more)
        if scheme == "pvc":
            self._lay(job)
            return job, job.plan(f"pvc://models/{path}", **more)
        endpoint = f"http://127.0.0.1:{port}"
        whole = {"hf": f"{HUB_REPOSITORY}@v1"}.get(scheme, BUCKET)
        return job, job.plan(f"{scheme}://{whole}/{path}", endpoint=endpoint, **more)

    def _lay(self, job: Job) -> None:
        for name, content in FILES.items():
            file = job.workspace.claim / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


@pytest.fixture
def origins(tmp_path: Path, registry: Registry, web: WebServer, s3: Store, gs: Store) -> Origins:
    return Origins(tmp_path, registry, web, s3, gs)


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_file_of_any_name_becomes_the_image_that_jobs_mount(
    origins: Origins, scheme: str
) -> None:
    job, plan = origins.job(scheme, "intent-v3.onnx")
    report = job.fetches(plan)
    assert job.brought(plan, report) == {"model.onnx": MODEL}
    assert report.content == sha256(MODEL)
    assert (report.bytes, report.files, report.reused) == (len(MODEL), 1, False)
    assert report.image == f"{plan.registry.address}/{plan.registry.repository}"
    assert report.digest == IMAGE, "the same bytes make the same image, wherever they come from"


@pytest.mark.parametrize("scheme", WITH_FOLDERS)
def test_a_folder_comes_whole(origins: Origins, scheme: str) -> None:
    job, plan = origins.job(scheme, "folder/")
    assert "900.0 kB in 2 files" in job.looks(plan)
    report = job.fetches(plan)
    names = ("model.onnx", "model.onnx.data")
    assert job.brought(plan, report) == {name: FILES[f"folder/{name}"] for name in names}
    lines = "".join(f"{sha256(FILES[f'folder/{n}'])[7:]}  {n}\n" for n in names)
    assert report.content == sha256(lines.encode()), "as find | sort | xargs sha256sum | sha256sum"


@pytest.mark.parametrize("scheme", OVER_A_LINE)
def test_a_broken_line_costs_what_was_lost_and_no_more(origins: Origins, scheme: str) -> None:
    with breaking_line(origins.port(scheme), ALLOWANCE) as line:
        job, plan = origins.job(scheme, "model.onnx", line.port)
        report = job.fetches(plan)
    assert report.content == sha256(MODEL)
    assert line.connections > len(MODEL) / ALLOWANCE
    assert line.carried < 1.3 * len(MODEL), "it began from scratch"


def test_a_server_without_ranges_is_asked_for_all_of_it(origins: Origins) -> None:
    job, plan = origins.job("http", "whole/model.onnx")
    scratch = job.workspace.files
    scratch.mkdir()
    (scratch / "model.onnx").write_bytes(b"half of it")
    assert job.fetches(plan).content == sha256(MODEL)


def test_what_another_process_had_brought_is_gone_on_with(origins: Origins) -> None:
    job, _ = origins.job("s3", "model.onnx")
    scratch = job.workspace.files
    scratch.mkdir()
    (scratch / "model.onnx").write_bytes(MODEL[:3_000_000])
    with breaking_line(origins.port("s3"), 1_200_000) as line:
        _, over = origins.job("s3", "model.onnx", line.port)
        assert job.fetches(over).content == sha256(MODEL)
    assert line.carried < 1_100_000


@pytest.mark.parametrize("scheme", ["https", "s3", "gs", "hf"])
def test_the_same_version_is_not_fetched_again(origins: Origins, scheme: str) -> None:
    job, plan = origins.job(scheme, "model.onnx")
    first = job.fetches(plan)
    with breaking_line(origins.port(scheme), 100_000) as line:
        assert "is in the registry already" in job.looks(plan)
        again = job.fetches(plan)
    assert (again.digest, again.content, again.bytes) == (first.digest, first.content, first.bytes)
    assert again.reused
    assert line.carried == 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_data_set_comes_the_same_way(origins: Origins, scheme: str) -> None:
    job, plan = origins.job(scheme, "data.npz", role=Role.DATASET)
    assert job.brought(plan, job.fetches(plan)) == {"dataset.npz": DATA}


def test_a_pin_is_held_and_needs_no_origin_any_more(origins: Origins) -> None:
    job, plan = origins.job("https", "model.onnx", pin=sha256(MODEL))
    first = job.fetches(plan)
    _, gone = origins.job("s3", "nowhere.onnx", port=1, pin=sha256(MODEL))
    again = job.fetches(gone)
    assert (again.digest, again.reused) == (first.digest, True)


def test_a_revision_is_resolved_to_its_commit(origins: Origins) -> None:
    job, plan = origins.job("hf", "model.onnx")
    assert job.fetches(plan).resolved == HUB_COMMIT


def test_a_data_set_of_the_hub(origins: Origins) -> None:
    job, plan = origins.job("hf", "data.npz", role=Role.DATASET)
    plan = plan.model_copy(update={"uri": plan.uri.replace("hf://", "hf://datasets/")})
    assert job.brought(plan, job.fetches(plan)) == {"dataset.npz": DATA}


def test_a_private_repository_is_read_with_the_token(origins: Origins) -> None:
    job, plan = origins.job("hf", "intent-v3.onnx")
    job.secret = {"token": TOKEN}
    private = plan.uri.replace(HUB_REPOSITORY, PRIVATE_REPOSITORY)
    plan = plan.model_copy(update={"uri": private, "secret": "reader"})
    assert job.fetches(plan).content == sha256(MODEL)


@pytest.mark.parametrize(
    ("place", "secret"),
    [
        ("locked", {"username": "robot", "password": "pass word"}),
        ("bearer", {"token": TOKEN}),
    ],
)
def test_a_web_server_s_credentials(origins: Origins, place: str, secret: dict[str, str]) -> None:
    job, plan = origins.job("https", f"{place}/model.onnx")
    job.secret |= secret
    assert job.fetches(plan).content == sha256(MODEL)
