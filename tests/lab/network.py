"""Wires a lab: a bridge in the host, and for each node a network namespace on it.

Nodes and pods have real addresses of the lab's own network and routes to each other; nothing is
routed beyond it (no namespace has a default route), so load from a lab stays on this machine.
"""

import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.lab.commands import run
from tests.lab.plan import Node, Plan

NETNS_FOLDER = Path("/run/netns")

FIREWALL_CHAINS = ("INPUT", "FORWARD")
"""Where a firewall of the host could drop the bridge's packets."""


def make_bridge(plan: Plan) -> None:
    """Make the bridge, with the host's address on it, and let its packets through the firewall."""
    run("ip", "link", "add", plan.bridge, "type", "bridge")
    run("ip", "addr", "add", f"{plan.address}/24", "dev", plan.bridge)
    run("ip", "link", "set", plan.bridge, "up")
    for chain in FIREWALL_CHAINS:
        run("iptables", "--wait", "-I", chain, *_firewall_rule(plan))


def make_node(plan: Plan, node: Node) -> None:
    """Make a node's network namespace and join it to the bridge."""
    run("ip", "netns", "add", node.netns)
    peer = ("type", "veth", "peer", "name", "eth0", "netns", node.netns)
    run("ip", "link", "add", node.link, *peer)
    run("ip", "link", "set", node.link, "master", plan.bridge, "up")
    inside = f"""
        link set lo up
        addr add {node.ip}/24 dev eth0
        link set eth0 up
        route add {plan.service_network} dev eth0
    """
    run("ip", "-netns", node.netns, "-batch", "-", stdin=inside)
    in_node(node, "sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1")


def route(plan: Plan, nodes: Iterable[Node]) -> None:
    """Route each node's pods from all the others and from the host, and services from the host.

    The host reaches ClusterIPs by way of the first node, whose kube-proxy knows them.
    """
    everyone = list(nodes)
    for node in everyone:
        others = (other for other in everyone if other != node)
        lines = [f"route replace {other.pod_network} via {other.ip}" for other in others]
        run("ip", "-netns", node.netns, "-batch", "-", stdin="\n".join(lines))
        run("ip", "route", "replace", node.pod_network, "via", node.ip, "dev", plan.bridge)
    if everyone:
        first = everyone[0].ip
        run("ip", "route", "replace", plan.service_network, "via", first, "dev", plan.bridge)


def enter(node: Node) -> list[str]:
    """Return the words that put a command into a node's network namespace.

    Not `ip netns exec`: that mounts /sys again, and a kubelet then finds no control groups.
    """
    return ["nsenter", f"--net={NETNS_FOLDER / node.netns}"]


def in_node(node: Node, *command: str) -> str:
    """Run a command in a node's network, outside of any pod."""
    return run(*enter(node), *command)


def set_link(node: Node, state: str) -> None:
    """Set a node's link `up` or `down`."""
    run("ip", "link", "set", node.link, state)


def remove(plan: Plan) -> None:
    """Remove everything that the lab has in the host's network, however far it came."""
    for name in _existing_netns(plan):
        run("ip", "netns", "delete", name)
    for link in _existing_links(plan):
        run("ip", "link", "delete", link, check=False)  # a link may go with its namespace
    for chain in FIREWALL_CHAINS:
        _remove_rules(plan, chain)


def remove_empty_netns_mount() -> None:
    """Undo what the first `ip netns add` did to the host, once no namespace is left."""
    mounted = f" {NETNS_FOLDER} " in Path("/proc/self/mountinfo").read_text()
    if mounted and not list(NETNS_FOLDER.iterdir()):
        run("umount", NETNS_FOLDER)


def _firewall_rule(plan: Plan) -> list[str]:
    comment = ("-m", "comment", "--comment", f"skerry-lab {plan.name}")
    return ["-i", plan.bridge, *comment, "-j", "ACCEPT"]


def _remove_rules(plan: Plan, chain: str) -> None:
    delete = ["iptables", "--wait", "-D", chain, *_firewall_rule(plan)]
    while subprocess.run(delete, capture_output=True, check=False).returncode == 0:
        continue


def _existing_netns(plan: Plan) -> list[str]:
    pattern = re.compile(rf"{re.escape(plan.name)}-x86-[a-z]-\d+")
    folder = NETNS_FOLDER.iterdir() if NETNS_FOLDER.exists() else iter(())
    return [path.name for path in folder if pattern.fullmatch(path.name)]


def _existing_links(plan: Plan) -> list[str]:
    pattern = re.compile(rf"sv-{re.escape(plan.short_name)}-\d+|{re.escape(plan.bridge)}")
    links = json.loads(run("ip", "-json", "link", "show"))
    return [link["ifname"] for link in links if pattern.fullmatch(link["ifname"])]
