"""A throw-away Kubernetes cluster with real nodes on one machine, without a container engine.

Order of a start: names and networks -> control plane and, meanwhile, each node's containerd ->
Node objects, kubelets -> CoreDNS. `up` on a whole lab does nothing; on one that is damaged, or
next to what a crash has left of it, it starts from scratch.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab import control_plane, limits, network, plan, teardown
from tests.lab.commands import run, write_whole
from tests.lab.control_plane import kubeconfig
from tests.lab.errors import LabError
from tests.lab.nodes import PROGRAMS, program
from tests.lab.plan import Node, Plan
from tests.lab.processes import Processes
from tests.lab.startup import Startup, make_plan
from tests.lab.toolchain import Toolchain, pinned

DEFAULT_NAME = "skerry"
DEFAULT_NODES = 4

NOT_NEEDED_TO_START = {"helm", "ctr", "verdicts"}


class Lab:
    """A lab by its name; several with different names run side by side.

    As a context manager it goes up with the default number of nodes, and down at the end.
    """

    def __init__(
        self,
        name: str = DEFAULT_NAME,
        report: Callable[[str], None] = lambda _: None,
        kept_registry: Path | None = None,
    ) -> None:
        """Name a lab, without starting anything.

        Args:
            name: Small letters, digits and dashes.
            report: Is called with a line for each step of a start.
            kept_registry: A folder for the registry's data that outlives the lab; without it, they
                go with the lab.
        """
        self.name = plan.check_name(name)
        self._report = report
        self._kept_registry = kept_registry
        self._toolchain = Toolchain()

    def __enter__(self) -> Self:
        """Bring the lab up."""
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the lab down."""
        self.down()

    def up(self, nodes: int = DEFAULT_NODES) -> None:
        """Bring the lab up, with at least so many nodes, and wait until it works.

        Args:
            nodes: 0 for the control plane and the registry alone.

        Raises:
            LabError: It did not come up; what was started is left for a look at its logs.
        """
        _require_root()
        if not 0 <= nodes <= plan.MAX_NODES:
            raise LabError(f"a lab has 0 to {plan.MAX_NODES} nodes, not {nodes}")
        self._toolchain.ensure([name for name in pinned() if name not in NOT_NEEDED_TO_START])
        with plan.lab_lock(self.name):
            if self._exists() and not self.is_up():
                self._report("removing what a crash has left")
                teardown.remove_lab(self.name)
            self._start(nodes)

    def down(self) -> None:
        """Remove the lab and all that it made, as far as it exists."""
        _require_root()
        with plan.lab_lock(self.name):
            teardown.remove_lab(self.name)

    def is_up(self) -> bool:
        """Return whether the lab is up, with all that was started alive."""
        if plan.load(self.name) is None:
            return False
        of_nodes = (program(node, name) for node in self.nodes for name in PROGRAMS)
        return all(self.processes.alive(name) for name in (*control_plane.PROGRAMS, *of_nodes))

    @property
    def plan(self) -> Plan:
        """The lab's names and addresses.

        Raises:
            LabError: The lab is not up.
        """
        known = plan.load(self.name)
        if known is None:
            raise LabError(
                f"lab {self.name} is not up; `python -m tests.lab --name {self.name} up` starts it"
            )
        return known

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return kubeconfig(self.plan, "admin")

    @property
    def registry(self) -> str:
        """HOST:PORT of the registry (plain HTTP), for the host, the nodes and the pods."""
        return self.plan.registry

    @property
    def nodes(self) -> list[Node]:
        """The nodes that were started, by name."""
        file = _nodes_file(self.plan)
        count = int(json.loads(file.read_text())) if file.exists() else 0
        return sorted((self.plan.node(index) for index in range(count)), key=lambda n: n.name)

    @property
    def processes(self) -> Processes:
        """The programs that the lab runs."""
        return Processes(self.plan)

    @property
    def helm(self) -> Path:
        """The Helm binary."""
        return self.binary("helm")

    def binary(self, name: str) -> Path:
        """Return the file of one of the lab's binaries, made first if it is missing."""
        return self._toolchain.path(name)

    def node(self, name: str) -> Node:
        """Return a node by its name.

        Raises:
            LabError: The lab has no such node.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        known = ", ".join(node.name for node in self.nodes) or "none"
        raise LabError(f"lab {self.name} has no node {name!r}; its nodes: {known}")

    def cut(self, node: str | Node) -> None:
        """Cut a node off: its link goes down, its pods keep running."""
        network.set_link(self._node(node), "down")

    def mend(self, node: str | Node) -> None:
        """Undo `cut`."""
        network.set_link(self._node(node), "up")

    def in_node(self, node: str | Node, *command: str) -> str:
        """Run a command in a node's network, outside of any pod, and return its output."""
        return network.in_node(self._node(node), *command)

    def kubectl(self, *arguments: str | Path, stdin: str | None = None) -> str:
        """Run kubectl as the administrator and return its output."""
        command = (self.binary("kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments)
        return run(*command, stdin=stdin)

    def _node(self, node: str | Node) -> Node:
        return self.node(node if isinstance(node, str) else node.name)

    def _exists(self) -> bool:
        return (plan.STATE_ROOT / self.name).exists()

    def _start(self, count: int) -> None:
        """Start what is missing of a lab of which nothing is damaged."""
        fresh = plan.load(self.name) is None
        known = make_plan(self.name, self._kept_registry) if fresh else self.plan
        startup = Startup(known, self.binary, self._report)
        before = self.nodes
        wanted = [known.node(index) for index in range(max(count, len(before)))]
        missing = [node for node in wanted if node not in before]
        limits.make_room(len(missing), self._report, control_plane=fresh)
        limits.check_disk(plan.STATE_ROOT.parent, len(missing))
        # Written first: of a start that is killed, the next one sees that it is not whole.
        write_whole(_nodes_file(known), json.dumps(len(wanted)))
        if fresh:
            startup.start_control_plane()
        startup.prepare_nodes(missing, wanted)
        if fresh:
            startup.wait_for_control_plane()
        startup.start_nodes(missing)
        if missing and not before:
            startup.start_dns()
        if wanted:
            startup.wait_for_nodes(wanted)


def _nodes_file(known: Plan) -> Path:
    return known.state / "nodes.json"


def _require_root() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        raise LabError(
            "the lab makes network namespaces, mounts and control groups, so it needs Linux and "
            "root: run it with sudo, or in a virtual machine"
        )
