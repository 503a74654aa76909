"""Gives each lab names, addresses and ports of its own, so that several run side by side.

A lab's plan is written down before anything is made by it: whatever a crash leaves behind can be
found again by names and addresses that follow from the lab's name and this file.
"""

import contextlib
import hashlib
import ipaddress
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock

from tests.lab.commands import run, write_whole
from tests.lab.errors import LabError

STATE_ROOT = Path("/var/lib/skerry-lab")
"""Below it, each lab keeps all its state, in a folder of its name."""

NETWORKS = range(77, 255)
"""Second octets of 10.x.0.0/16 that a lab may take."""

SHORT_NAME_LENGTH = 8
"""Longest part of a lab's name in names of links, which Linux limits to 15 characters."""

MAX_NODES = 99

NAME_PATTERN = re.compile(r"[a-z]([-a-z0-9]{0,30}[a-z0-9])?")

HARDWARE_CLASSES = ("x86-a", "x86-b")
"""The administrator's classes; the lab's nodes are spread over them in turn."""


@dataclass(frozen=True)
class Node:
    """A node of a lab: where it is and what it is called."""

    name: str
    index: int
    ip: str
    netns: str
    link: str
    pod_network: str
    hardware_class: str


@dataclass(frozen=True)
class Plan:
    """A lab's names, addresses and ports.

    The network 10.`network`.0.0/16 is cut up into the nodes' part, the services' and the pods'.
    """

    name: str
    network: int
    api_port: int = 6443
    registry_port: int = 5000
    etcd_port: int = 2379
    etcd_peer_port: int = 2380
    controller_port: int = 10257
    scheduler_port: int = 10259
    kept_registry: str = ""

    @property
    def state(self) -> Path:
        """The folder of the lab's state, removed with it."""
        return STATE_ROOT / self.name

    @property
    def registry_folder(self) -> Path:
        """Where the registry keeps its data: with the lab's state, or where it outlives the lab."""
        return Path(self.kept_registry) if self.kept_registry else self.state / "registry"

    @property
    def cgroup(self) -> str:
        """The control group (relative to each hierarchy) that holds all of the lab's processes."""
        return f"lab/{self.name}"

    @property
    def short_name(self) -> str:
        """The lab's name where few characters are left, still its own."""
        if len(self.name) <= SHORT_NAME_LENGTH:
            return self.name
        return self.name[:4] + hashlib.sha256(self.name.encode()).hexdigest()[:4]

    @property
    def bridge(self) -> str:
        """The bridge in the host that joins the nodes."""
        return f"sb-{self.short_name}"

    @property
    def address(self) -> str:
        """The host's address on the bridge: API server and registry listen here."""
        return f"10.{self.network}.0.1"

    @property
    def loopback(self) -> str:
        """A loopback address of the lab's own, for what only the host may reach."""
        return f"127.200.{self.network}.1"

    @property
    def service_network(self) -> str:
        """The addresses of Services."""
        return f"10.{self.network}.16.0/20"

    @property
    def api_service(self) -> str:
        """The ClusterIP of the API server, by Kubernetes' rule the first of the range."""
        return f"10.{self.network}.16.1"

    @property
    def dns_service(self) -> str:
        """The ClusterIP of CoreDNS."""
        return f"10.{self.network}.16.10"

    @property
    def pod_network(self) -> str:
        """The addresses of all pods."""
        return f"10.{self.network}.128.0/17"

    @property
    def registry(self) -> str:
        """The registry's HOST:PORT, the same from the host, the nodes and the pods."""
        return f"{self.address}:{self.registry_port}"

    @property
    def api_url(self) -> str:
        """The API server's address, the same from the host, the nodes and the pods."""
        return f"https://{self.address}:{self.api_port}"

    def node(self, index: int) -> Node:
        """Return the node of an index from 0; the classes take turns."""
        hardware_class = HARDWARE_CLASSES[index % len(HARDWARE_CLASSES)]
        name = f"{hardware_class}-{index // len(HARDWARE_CLASSES) + 1}"
        return Node(
            name=name,
            index=index,
            ip=f"10.{self.network}.0.{11 + index}",
            netns=f"{self.name}-{name}",
            link=f"sv-{self.short_name}-{index}",
            pod_network=f"10.{self.network}.{128 + index}.0/24",
            hardware_class=hardware_class,
        )

    def save(self) -> None:
        """Write the plan down."""
        self.state.mkdir(parents=True, exist_ok=True)
        write_whole(_file(self.name), json.dumps(asdict(self), indent=2))


def load(name: str) -> Plan | None:
    """Return a lab's plan, or None if there is no such lab, not even leftovers."""
    try:
        return Plan(**json.loads(_file(name).read_text()))
    except FileNotFoundError:
        return None


def check_name(name: str) -> str:
    """Return a lab's name if it may be one.

    Raises:
        LabError: It is not a DNS label of at most 32 characters that begins with a letter.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise LabError(
            f"{name!r} cannot name a lab: take small letters, digits and dashes, a letter first, "
            "at most 32 characters"
        )
    return name


def choose(name: str, kept_registry: Path | None = None) -> Plan:
    """Choose a network that nothing on this machine uses, and write the plan down.

    The caller holds the `host_lock`.

    Raises:
        LabError: All networks are taken.
    """
    taken = [*_host_networks(), *(_network(plan.network) for plan in _all_plans())]
    for octet in NETWORKS:
        if not any(_network(octet).overlaps(other) for other in taken):
            plan = Plan(name, octet, kept_registry=str(kept_registry or ""))
            plan.save()
            return plan
    raise LabError("no free network in 10.77.0.0/16 ... 10.254.0.0/16; take down other labs first")


def with_free_ports(plan: Plan) -> Plan:
    """Return the plan with ports that are free on its addresses, which must exist by now."""
    chosen = replace(
        plan,
        api_port=_free_port(plan.address, plan.api_port),
        registry_port=_free_port(plan.address, plan.registry_port),
        etcd_port=_free_port(plan.loopback, plan.etcd_port),
        etcd_peer_port=_free_port(plan.loopback, plan.etcd_peer_port),
        controller_port=_free_port(plan.loopback, plan.controller_port),
        scheduler_port=_free_port(plan.loopback, plan.scheduler_port),
    )
    chosen.save()
    return chosen


@contextlib.contextmanager
def host_lock() -> Iterator[None]:
    """Hold what labs share (networks, parent control groups) while making or removing some."""
    STATE_ROOT.mkdir(parents=True, exist_ok=True)
    with FileLock(STATE_ROOT / ".host.lock"):
        yield


@contextlib.contextmanager
def lab_lock(name: str) -> Iterator[None]:
    """Hold one lab while it goes up or down."""
    STATE_ROOT.mkdir(parents=True, exist_ok=True)
    with FileLock(STATE_ROOT / f".{name}.lock"):
        yield


def _file(name: str) -> Path:
    return STATE_ROOT / name / "plan.json"


def _all_plans() -> list[Plan]:
    plans = (load(file.parent.name) for file in STATE_ROOT.glob("*/plan.json"))
    return [plan for plan in plans if plan is not None]


def _network(octet: int) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(f"10.{octet}.0.0/16")


def _host_networks() -> list[ipaddress.IPv4Network]:
    routes = json.loads(run("ip", "-json", "-4", "route", "show", "table", "all"))
    found = [route["dst"] for route in routes if route["dst"] != "default"]
    return [ipaddress.IPv4Network(destination, strict=False) for destination in found]


def _free_port(address: str, wish: int) -> int:
    """Return the wished port if nothing listens there, else another one that is free."""
    for port in (wish, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise LabError(f"no free port on {address}")
