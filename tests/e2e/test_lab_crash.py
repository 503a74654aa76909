"""The lab leaves nothing behind, whatever killed it, and leaves other labs alone.

Labs of these tests' own go up, are killed with everything they have started, and are taken down;
the machine is compared before and after.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.lab import Lab, cgroups
from tests.lab.commands import run, wait_for
from tests.lab.plan import STATE_ROOT, Plan, load

pytestmark = pytest.mark.e2e

REPOSITORY = Path(__file__).resolve().parents[2]
NAME = "test-crash"
SECOND = "test-second"

MOMENTS: dict[str, Callable[[Plan], bool]] = {
    "as soon as its plan is written": lambda _: True,
    "with the API server on its way": lambda plan: _recorded(plan, "kube-apiserver"),
    "with half of the nodes made": lambda plan: _recorded(plan, "x86-a-1.anchor"),
    "with kubelets on their way": lambda plan: _recorded(plan, "x86-b-1.kubelet"),
    "with containers running": lambda plan: len(_containers(plan)) > 1,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_down_removes_all_after_a_crash(moment: str) -> None:
    before = _traces()
    _crash(MOMENTS[moment])
    Lab(NAME).down()
    assert _traces() - before == set()


def test_down_removes_all_of_a_whole_lab() -> None:
    before = _traces()
    with Lab(NAME) as lab:
        lab.up(nodes=2)
        assert _traces() - before
    assert _traces() - before == set()


def test_up_recovers_from_a_crash() -> None:
    _crash(MOMENTS["with kubelets on their way"])
    lab = Lab(NAME)
    try:
        lab.up(nodes=1)
        assert lab.is_up()
    finally:
        lab.down()


def test_labs_do_not_disturb_each_other(lab: Lab) -> None:
    """One next to a running lab and another one's leftovers: neither is touched."""
    before = {record.pid for record in lab.processes.records()}
    _crash(MOMENTS["with half of the nodes made"])
    leftovers = load(NAME)
    assert leftovers is not None
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(Lab(NAME).down)
        second = cleanup.enter_context(Lab(SECOND))
        second.up(nodes=1)
        networks = {second.plan.network, lab.plan.network, leftovers.network}
        assert len(networks) == 3
        assert load(NAME) == leftovers
    assert lab.is_up()
    assert {record.pid for record in lab.processes.records()} == before
    assert "ok" in lab.kubectl("get", "--raw", "/readyz")


def _crash(moment: Callable[[Plan], bool]) -> None:
    """Start a lab and, at a moment of its start, kill that with all it has started."""
    command = [sys.executable, "-m", "tests.lab", "--name", NAME, "up", "--nodes", "4"]
    starting = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: _reached(moment), "the moment to crash", 60, 0.01)
        plan = load(NAME)
        assert plan is not None
    finally:
        starting.kill()
        starting.communicate()
    for pid in cgroups.processes(plan.cgroup):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _reached(moment: Callable[[Plan], bool]) -> bool:
    plan = load(NAME)
    return plan is not None and moment(plan)


def _recorded(plan: Plan, program: str) -> bool:
    return (plan.state / "processes" / f"{program}.json").exists()


def _containers(plan: Plan) -> set[int]:
    return {
        pid for node in ("x86-a-1", "x86-b-1") for pid in cgroups.processes(f"{plan.cgroup}/{node}")
    }


def _traces() -> set[str]:
    """Return all that a lab could leave on this machine, but for what other labs own."""
    found = {
        *(f"mount {line.split()[4]}" for line in _lines(Path("/proc/self/mountinfo"))),
        *(
            f"link {line}"
            for line in re.findall(r"^\d+: ([^:@]+)", run("ip", "link"), re.MULTILINE)
        ),
        *(f"route {line}" for line in run("ip", "route", "show", "table", "all").splitlines()),
        *(f"netns {line}" for line in run("ip", "netns", "list").splitlines()),
        *(f"rule {line}" for line in run("iptables-save").splitlines() if line.startswith("-A")),
        *(f"group {path}" for mount in cgroups.hierarchies() for path in mount.glob("lab/**/")),
        *(f"file {path}" for folder in _FOLDERS for path in folder.glob("*")),
        *(f"process {process}" for process in _lab_processes()),
    }
    return {trace for trace in found if not any(re.search(p, trace) for p in _of_other_labs())}


_FOLDERS = (
    STATE_ROOT, Path("/var/log/containers"), Path("/var/log/pods"), Path("/run/containerd"),
    Path("/run/containerd/s"), Path("/var/lib/cni"), Path("/var/lib/kubelet"), Path("/run/netns"),
)  # fmt: skip
"""Where the programs of a node leave files, if they are not kept from it."""


def _lab_processes() -> list[str]:
    """Return the processes of node and control plane programs, and all in a lab's groups."""
    names = re.compile(r"kubelet|kube-|etcd|containerd|coredns|docker-registry")
    grouped = cgroups.processes("lab")
    return [
        f"{process.pid} {process.info['name']} {_group(process.pid)}"
        for process in psutil.process_iter(["name", "status"])
        if process.pid in grouped or names.search(process.info["name"])
        if process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def _group(pid: int) -> str:
    return " ".join(line for line in _lines(Path(f"/proc/{pid}/cgroup")) if "/lab/" in line)


def _of_other_labs() -> list[str]:
    """Return patterns of what belongs to labs that run next to these tests."""
    others = [load(path.name) for path in STATE_ROOT.glob("[!.]*") if path.name != NAME]
    patterns = [
        rf"lab/{plan.name}(/|\s|$)|sv-{plan.short_name}-\d|{plan.bridge}(\s|$)"
        rf"|netns (/run/netns/)?{plan.name}-x86|10\.{plan.network}\.|/{plan.name}(/|$)"
        for plan in others
        if plan is not None
    ]
    # Others build images meanwhile, whose file systems are mounted for a while.
    return [*patterns, r"file \S+/\.[\w.-]+\.lock", r"mount \S*/(buildah|containers/storage)"]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return []
