"""Runs the containers of a fetch job's pod as processes of this machine, as a kubelet would in the image."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from skerry.cluster.kinds import Kind
from tests.cluster.pod_states import base, ended, environment

if TYPE_CHECKING:
    from tests.cluster.api import Api, Object

SECRET = Kind("v1", "Secret", "secrets", namespaced=True)


def run_fetch_pod(api: Api, pod: Object) -> Object:
    """Return the pod's status after its stages have run, one after the other."""
    spec = pod["spec"]
    (look,), (fetch,) = spec["initContainers"], spec["containers"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scratch").mkdir()
        _mount_secret(api, pod, folder / "credentials")
        looked = _run(look, folder)
        waiting = {"waiting": {"reason": "PodInitializing"}}
        fetched = {**base(fetch), "ready": False, "state": waiting}
        if not looked["state"]["terminated"]["exitCode"]:
            fetched = _run(fetch, folder)
    ends = fetched["state"].get("terminated", {"exitCode": 1})
    return {
        "phase": "Failed" if ends["exitCode"] else "Succeeded",
        "initContainerStatuses": [looked],
        "containerStatuses": [fetched],
    }


def _run(container: Object, folder: Path) -> Object:
    log = folder / container["name"]
    variables = {
        **os.environ, **environment(container), "HOME": str(folder), "TMPDIR": str(folder),
        "SKERRY_SCRATCH_DIR": str(folder / "scratch"), "SKERRY_CREDENTIALS_DIR": str(folder / "credentials"),
        "SKERRY_TERMINATION_LOG": str(log),
    }  # fmt: skip
    _, *arguments = container["command"]
    done = subprocess.run([sys.executable, *arguments], env=variables, check=False)
    return ended(container, log.read_text(), done.returncode)


def _mount_secret(api: Api, pod: Object, folder: Path) -> None:
    """Mount the Secret that the volume `credentials` names; an optional one that is missing mounts nothing."""
    folder.mkdir()
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    if "credentials" not in volumes:
        return
    name = volumes["credentials"]["secret"]["secretName"]
    found = api.find(SECRET, pod["metadata"]["namespace"], name)
    for key, value in (found or {}).get("data", {}).items():
        (folder / key).write_bytes(base64.b64decode(value))
