"""The messages when something can't be fetched: the reason, the place, what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from skerry.api.artifact import Role
from skerry.api.reasons import FetchRefusal
from skerry.artifacts.images.client import SHORT
from skerry_fetcher import transfer
from skerry_fetcher.errors import RefusedError
from tests.sources.conftest import FILES, MODEL
from tests.sources.servers import BUCKET, HUB_REPOSITORY, PRIVATE_REPOSITORY
from tests.sources.test_origins import S3_SECRET
from tests.unit.optimizer.registries import docker_config, running_registry
from tests.waiting import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.jobs.plans import FetchPlan
    from tests.sources.fetching import Job
    from tests.sources.servers import Store, WebServer

OTHER_DIGEST = "sha256:" + "0" * 64
WRONG_KEY = {**S3_SECRET, "AWS_SECRET_ACCESS_KEY": "wrong"}
NO_KEY = {"type": "service_account"}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(transfer, "LONGEST_PAUSE_SECONDS", 0.05)


def refused(job: Job, plan: FetchPlan) -> tuple[FetchRefusal, str]:
    with pytest.raises(RefusedError) as message:
        job.fetches(plan)
    assert str(message.value).startswith(f"{message.value.reason.value}: ")
    return message.value.reason, str(message.value)


@pytest.mark.parametrize(
    ("path", "reason", "words"),
    [
        ("gone.onnx", FetchRefusal.NOT_FOUND, "there is no such file; correct the uri"),
        ("locked/model.onnx", FetchRefusal.DENIED, "name a Secret with credentials"),
        ("weights.pt", FetchRefusal.WRONG_FORMAT, "holds no model.onnx and no other .onnx file"),
        ("page.onnx", FetchRefusal.WRONG_FORMAT, "is a web page, such as one to log in"),
        ("empty.onnx", FetchRefusal.WRONG_FORMAT, "is an empty file"),
        ("failing/model.onnx", FetchRefusal.UNREACHABLE, "HTTP 503; given up after 8 tries"),
    ],
)
def test_of_a_web_server(
    job: Job, web: WebServer, path: str, reason: FetchRefusal, words: str
) -> None:
    found, message = refused(job, job.plan(f"http://127.0.0.1:{web.port}/{path}"))
    assert found is reason
    assert words in message
    assert path in message


def test_a_wrong_password(job: Job, web: WebServer) -> None:
    job.secret = {"username": "robot", "password": "wrong", "ca.crt": web.authority}
    reason, message = refused(job, job.plan(f"https://127.0.0.1:{web.tls_port}/locked/model.onnx"))
    assert reason is FetchRefusal.DENIED
    assert "Secret reader holds credentials that may read it" in message


@pytest.mark.parametrize("scheme", ["https", "s3", "gs", "hf"])
def test_a_certificate_that_nobody_vouches_for(job: Job, web: WebServer, scheme: str) -> None:
    endpoint = f"https://127.0.0.1:{web.tls_port}"
    plan = (
        job.plan(f"{endpoint}/model.onnx")
        if scheme == "https"
        else job.plan(f"{scheme}://{HUB_REPOSITORY}/model.onnx", endpoint=endpoint)
    )
    reason, message = refused(job, plan)
    assert reason is FetchRefusal.NOT_TRUSTED
    assert "the key ca.crt of the Secret" in message


@pytest.mark.parametrize("scheme", ["https", "s3", "gs", "hf"])
def test_a_host_that_nobody_knows(job: Job, scheme: str) -> None:
    endpoint = "https://no-such-host.invalid"
    plan = (
        job.plan(f"{endpoint}/model.onnx")
        if scheme == "https"
        else job.plan(f"{scheme}://{HUB_REPOSITORY}/model.onnx", endpoint=endpoint)
    )
    reason, message = refused(job, plan)
    assert reason is FetchRefusal.HOST_UNKNOWN
    assert "no host of this name is known" in message


def test_a_redirect_out_of_tls(job: Job, web: WebServer) -> None:
    job.secret = {"ca.crt": web.authority}
    reason, message = refused(job, job.plan(f"https://127.0.0.1:{web.tls_port}/down/model.onnx"))
    assert reason is FetchRefusal.NOT_TRUSTED
    assert "redirects to an address without TLS" in message


@pytest.mark.parametrize(
    ("secret", "key", "expected"),
    [
        (S3_SECRET, f"{BUCKET}/gone.onnx", (FetchRefusal.NOT_FOUND, "no such bucket or object")),
        (S3_SECRET, "nobucket/model.onnx", (FetchRefusal.NOT_FOUND, "no such bucket or object")),
        (S3_SECRET, f"{BUCKET}/gone/", (FetchRefusal.NOT_FOUND, "nothing lies below this key")),
        (
            WRONG_KEY,
            f"{BUCKET}/model.onnx",
            (FetchRefusal.DENIED, "Secret reader holds credentials"),
        ),
        ({}, f"{BUCKET}/model.onnx", (FetchRefusal.DENIED, "name a Secret with credentials")),
        (
            S3_SECRET,
            f"{BUCKET}/two/",
            (FetchRefusal.WRONG_FORMAT, "a.onnx and b.onnx, and no model.onnx"),
        ),
        (
            {"AWS_ACCESS_KEY_ID": "x"},
            f"{BUCKET}/model.onnx",
            (FetchRefusal.SECRET, "has no AWS_ACCESS"),
        ),
    ],
)
def test_of_a_bucket(
    job: Job, s3: Store, secret: dict[str, str], key: str, expected: tuple[FetchRefusal, str]
) -> None:
    job.secret = secret
    found, message = refused(job, job.plan(f"s3://{key}", endpoint=s3.endpoint))
    assert found is expected[0]
    assert expected[1] in message


def test_of_a_google_bucket(job: Job, gs: Store) -> None:
    found, message = refused(job, job.plan(f"gs://{BUCKET}/gone.onnx", endpoint=gs.endpoint))
    assert found is FetchRefusal.NOT_FOUND
    job.secret = {"service-account.json": json.dumps(NO_KEY)}
    found, message = refused(job, job.plan(f"gs://{BUCKET}/model.onnx", endpoint=gs.endpoint))
    assert found is FetchRefusal.SECRET
    assert "is no service account's key" in message


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (f"{HUB_REPOSITORY}/gone.onnx", "the repository has no such file or folder; it has"),
        ("acme/unknown", "there is no such repository, or it is private"),
        (PRIVATE_REPOSITORY, "a reader without credentialsSecretName may not see it"),
    ],
)
def test_of_the_hub(job: Job, web: WebServer, path: str, words: str) -> None:
    endpoint = f"http://127.0.0.1:{web.port}"
    reason, message = refused(job, job.plan(f"hf://{path}", endpoint=endpoint))
    assert reason is FetchRefusal.NOT_FOUND
    assert words in message


def test_of_a_claim(job: Job) -> None:
    reason, message = refused(job, job.plan("pvc://models/gone.onnx"))
    assert reason is FetchRefusal.NOT_FOUND
    assert "the claim has no such path" in message
    (job.workspace.claim / "out").symlink_to("/etc")
    reason, _ = refused(job, job.plan("pvc://models/out/passwd"))
    assert reason is FetchRefusal.NOT_FOUND


def test_a_secret_that_is_not_there(job: Job, web: WebServer) -> None:
    plan = job.plan(f"http://127.0.0.1:{web.port}/model.onnx", secret="reader")  # noqa: S106
    reason, message = refused(job, plan)
    assert reason is FetchRefusal.SECRET
    assert "the Secret reader that credentialsSecretName names is not there" in message


def test_an_authority_that_is_none(job: Job, web: WebServer) -> None:
    job.secret = {"ca.crt": "no certificate"}
    reason, message = refused(job, job.plan(f"https://127.0.0.1:{web.tls_port}/model.onnx"))
    assert reason is FetchRefusal.SECRET
    assert "write it as PEM" in message


def test_another_digest_than_the_pinned_one(job: Job, web: WebServer) -> None:
    plan = job.plan(f"http://127.0.0.1:{web.port}/model.onnx", pin=OTHER_DIGEST)
    reason, message = refused(job, plan)
    assert reason is FetchRefusal.WRONG_DIGEST
    assert f"{OTHER_DIGEST} is pinned" in message


def test_too_large_is_reported_before_anything_is_fetched(job: Job, s3: Store) -> None:
    job.secret = S3_SECRET
    plan = job.plan(f"s3://{BUCKET}/model.onnx", endpoint=s3.endpoint, size_limit=1_000_000)
    reason, message = refused(job, plan)
    assert reason is FetchRefusal.TOO_LARGE
    assert "has 4.0 MB, and 1.0 MB may be fetched; raise sizeLimit" in message
    assert not job.workspace.files.exists()


def test_too_large_is_noticed_where_nobody_stated_the_size(
    job: Job, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skerry_fetcher.origins.web._size", lambda _: None)
    plan = job.plan(f"http://127.0.0.1:{web.port}/model.onnx", size_limit=1_000_000)
    reason, message = refused(job, plan)
    assert reason is FetchRefusal.TOO_LARGE
    assert "is larger than allowed: 1.0 MB may be fetched" in message
    assert (job.workspace.files / "model.onnx").stat().st_size < len(MODEL) / 2


def test_a_file_that_changes_on_the_way_is_not_mixed(job: Job, web: WebServer) -> None:
    file = web.folder / "moving.onnx"
    file.write_bytes(MODEL)
    plan = job.plan(f"http://127.0.0.1:{web.port}/moving.onnx")
    job.looks(plan)
    (job.workspace.files).mkdir()
    (job.workspace.files / "model.onnx").write_bytes(MODEL[:1000])
    file.write_bytes(MODEL[::-1])
    # nginx makes an ETag of size and time, in seconds.
    os.utime(file, (1, 1))
    with pytest.raises(RefusedError, match="it changed while it was fetched"):
        job.fetches_looked(plan)


def test_a_data_set_that_is_a_model(job: Job, web: WebServer) -> None:
    plan = job.plan(f"http://127.0.0.1:{web.port}/model.onnx", role=Role.DATASET)
    reason, message = refused(job, plan)
    assert reason is FetchRefusal.WRONG_FORMAT
    assert "holds no dataset.npz" in message


def test_a_registry_that_is_down(job: Job, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skerry_fetcher.stages.JOB", SHORT)
    plan = job.plan(f"http://127.0.0.1:{web.port}/model.onnx")
    nowhere = plan.registry.model_copy(update={"address": f"127.0.0.1:{free_port()}"})
    reason, message = refused(job, plan.model_copy(update={"registry": nowhere}))
    assert reason is FetchRefusal.REGISTRY
    assert "registry.address" in message


def test_a_private_tag_is_looked_up_with_the_secret_and_only_so(job: Job, tmp_path: Path) -> None:
    (tmp_path / "login").mkdir()
    with running_registry(tmp_path / "login", login=True) as private:
        text = docker_config(tmp_path, private.address).read_text()
        job.secret = {".dockerconfigjson": text}
        job.registry = private
        plan = job.plan(f"oci://{private.address}/models/tiny:1")
        assert refused(job, plan)[0] is FetchRefusal.NOT_FOUND
        wrong = docker_config(tmp_path, private.address, "wrong").read_text()
        job.secret = {".dockerconfigjson": wrong}
        reason, message = refused(job, plan)
        assert reason is FetchRefusal.DENIED
        assert "Secret reader" in message


def run_stage(job: Job, plan: FetchPlan, stage: str) -> tuple[int, str]:
    """Run a stage as its container does; return the exit code and the last words."""
    workspace = job.workspace
    log = job.folder / "termination-log"
    environment: dict[str, Any] = {
        **os.environ,
        "SKERRY_FETCH": plan.model_dump_json(by_alias=True, exclude_none=True),
        "SKERRY_SCRATCH_DIR": str(workspace.scratch),
        "SKERRY_CREDENTIALS_DIR": str(workspace.credentials),
        "SKERRY_TERMINATION_LOG": str(log),
    }
    done = subprocess.run(
        [sys.executable, "-m", "skerry_fetcher", stage], env=environment, check=False
    )
    return done.returncode, log.read_text()


def test_the_program_says_its_last_words_and_whether_to_try_again(job: Job, web: WebServer) -> None:
    plan = job.plan(f"http://127.0.0.1:{web.port}/folder/model.onnx")
    code, words = run_stage(job, plan, "look")
    assert code == 0
    assert words.startswith("5.0 kB in 1 file, version")
    code, words = run_stage(job, plan, "fetch")
    assert code == 0
    assert json.loads(words)["bytes"] == len(FILES["folder/model.onnx"])
    gone = plan.model_copy(update={"uri": f"{plan.uri}.gone"})
    code, words = run_stage(job, gone, "look")
    assert code == 3
    assert words.startswith("SourceNotFound: ")
    unknown = plan.model_copy(update={"uri": "https://no-such-host.invalid/model.onnx"})
    assert run_stage(job, unknown, "look")[0] == 1
