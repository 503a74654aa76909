"""The steps of a lab's start, in the order that keeps two processors busy and nobody waiting."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab import control_plane, images, network, plan
from tests.lab.api import Api
from tests.lab.commands import run, wait_for
from tests.lab.control_plane import Binary, ControlPlane, kubeconfig
from tests.lab.nodes import PAUSE_IMAGE, PROGRAMS, NodeRunner, program
from tests.lab.pki import Authority
from tests.lab.plan import Node, Plan
from tests.lab.processes import Processes

READY_SECONDS = 180.0
"""Patience with nodes and CoreDNS; on a free machine they take fifteen."""

COREDNS_IMAGE = "skerry-lab/coredns:1.12.4"

DNS_MANIFEST = Path(__file__).parent / "coredns.yaml"


def make_plan(name: str, kept_registry: Path | None = None) -> Plan:
    """Choose a lab's addresses and make what labs on one machine must not choose at once."""
    with plan.host_lock():
        chosen = plan.choose(name, kept_registry)
        network.make_bridge(chosen)
        chosen = plan.with_free_ports(chosen)
        Processes(chosen).prepare()
    return chosen


class Startup:
    """Starts the parts of one lab."""

    def __init__(self, known: Plan, binary: Binary, say: Callable[[str], None]) -> None:
        """Start nothing yet.

        Args:
            known: The lab's plan.
            binary: Finds a program's file by its name.
            say: Is called with a line for each step.
        """
        self._plan = known
        self._binary = binary
        self._say = say
        self._processes = Processes(known)
        self._authority = Authority(known.state / "pki")
        self._control_plane = ControlPlane(known, self._authority, self._processes, binary)

    def start_control_plane(self) -> None:
        """Start etcd, registry and API server, without waiting for them."""
        (self._plan.state / "kubeconfigs").mkdir()
        control_plane.issue_certificates(self._plan, self._authority)
        self._control_plane.start()

    def wait_for_control_plane(self) -> None:
        """Wait until the control plane works, controllers included."""
        self._control_plane.wait_for_registry()
        self._control_plane.wait_for_api()
        self._control_plane.wait_for_controllers()
        self._say(f"control plane ready: {self._plan.api_url}, registry {self._plan.registry}")

    def prepare_nodes(self, missing: Sequence[Node], all_nodes: Sequence[Node]) -> None:
        """Wire new nodes and start their containerd, which needs no API server."""
        for node in missing:
            network.make_node(self._plan, node)
        network.route(self._plan, all_nodes)
        _in_parallel(lambda node: self._runner(node).prepare(), missing)

    def start_nodes(self, missing: Sequence[Node]) -> None:
        """Register new nodes and start their kubelets."""
        for node in missing:
            self._runner(node).register(self._control_plane.api)
        _in_parallel(lambda node: self._runner(node).start(), missing)
        self._say(f"{len(missing)} kubelets started")

    def start_dns(self) -> None:
        """Push the images that the first pods need, and create CoreDNS."""
        registry = self._plan.registry
        images.push_program(registry, PAUSE_IMAGE, self._binary("pause"))
        images.push_program(registry, COREDNS_IMAGE, self._binary("coredns"))
        manifest = DNS_MANIFEST.read_text().replace("DNS_ADDRESS", self._plan.dns_service)
        manifest = manifest.replace("COREDNS_IMAGE", f"{registry}/{COREDNS_IMAGE}")
        admin = f"--kubeconfig={kubeconfig(self._plan, 'admin')}"
        apply = (self._binary("kubectl"), admin, "apply", "--server-side", "--filename=-")
        run(*apply, stdin=manifest)

    def wait_for_nodes(self, wanted: Sequence[Node]) -> None:
        """Wait until all nodes are ready and CoreDNS answers.

        Raises:
            LabError: They are not in time, or a program died.
        """
        api = self._control_plane.api
        names = {node.name for node in wanted}

        def nodes_ready() -> bool:
            self._require_alive(wanted)
            return names <= api.ready_nodes()

        wait_for(nodes_ready, f"nodes {', '.join(sorted(names))} to be ready", READY_SECONDS)
        self._say(f"{len(wanted)} nodes ready")
        wait_for(lambda: _dns_ready(api), "CoreDNS to be ready", READY_SECONDS)
        self._say("CoreDNS ready")

    def _runner(self, node: Node) -> NodeRunner:
        return NodeRunner(self._plan, node, self._authority, self._processes, self._binary)

    def _require_alive(self, nodes: Sequence[Node]) -> None:
        names = [program(node, name) for node in nodes for name in PROGRAMS]
        self._processes.require_alive(*control_plane.PROGRAMS, *names)


def _in_parallel(work: Callable[[Node], None], nodes: Sequence[Node]) -> None:
    with ThreadPoolExecutor(max_workers=max(len(nodes), 1)) as pool:
        list(pool.map(work, nodes))


def _dns_ready(api: Api) -> bool:
    deployment = api.get("/apis/apps/v1/namespaces/kube-system/deployments/coredns")
    ready: int = deployment.get("status", {}).get("readyReplicas", 0)
    wanted: int = deployment["spec"]["replicas"]
    return ready == wanted
