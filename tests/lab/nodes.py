"""Starts real nodes: containerd, kubelet and kube-proxy, each node in namespaces of its own.

A node has its own network, host name and mounts. /var/lib, /var/log and /run are its own folders
too, so that four kubelets (and pods with hostPath volumes) on one machine do not meet, programs
keep their usual paths, and every mount of a node ends with its last process.
"""

import json
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.lab import cgroups, network
from tests.lab.api import Api
from tests.lab.commands import wait_for
from tests.lab.control_plane import kubeconfig
from tests.lab.pki import Authority
from tests.lab.plan import Node, Plan
from tests.lab.processes import SYSTEM_PATH, Processes

START_SECONDS = 120.0
"""Patience with a start; on a free machine all nodes are ready after fifteen."""

CLASS_LABEL = "skerry.dev/example-class"
"""The label that an administrator would give; the demo's HardwareClasses select by it."""

PAUSE_IMAGE = "skerry-lab/pause:3.10"

CNI_FOLDER = "/usr/lib/cni"

CONTAINERD_SOCKET = Path("/run/containerd/containerd.sock")

ANCHOR = Path(__file__).parent / "node-anchor.sh"

KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What a kubelet expects under /proc/sys, and else sets for the whole machine."""

PROGRAMS = ("anchor", "containerd", "kubelet", "kube-proxy")


def program(node: Node, name: str) -> str:
    """Return the name by which a node's program is recorded."""
    return f"{node.name}.{name}"


class NodeRunner:
    """Starts one node."""

    def __init__(
        self,
        plan: Plan,
        node: Node,
        authority: Authority,
        processes: Processes,
        binary: Callable[[str], Path],
    ) -> None:
        """Start nothing yet; the arguments are those of `ControlPlane`."""
        self._plan = plan
        self._node = node
        self._authority = authority
        self._processes = processes
        self._binary = binary
        self._folder = plan.state / "nodes" / node.name

    def prepare(self) -> None:
        """Write the node's configuration and start containerd, which needs no API server yet."""
        self._issue_certificate()
        self._write_configuration()
        cgroups.make(f"{self._plan.cgroup}/{self._node.name}")
        self._start_anchor()
        self._start("containerd", "--config", self._folder / "containerd.toml")

    def register(self, api: Api) -> None:
        """Create the Node object, as an administrator does who labels nodes and numbers networks.

        The kubelet adopts it; so its pods' network is known, and routed, before it starts.
        """
        labels = {CLASS_LABEL: self._node.hardware_class}
        networks = {
            "podCIDR": self._node.pod_network,
            "podCIDRs": [self._node.pod_network],
        }
        body = {"metadata": {"name": self._node.name, "labels": labels}, "spec": networks}
        api.create("/api/v1/nodes", body)

    def start(self) -> None:
        """Start kubelet and kube-proxy, once the API server serves and containerd listens."""
        self._wait_for_containerd()
        self._start(
            "kubelet", f"--config={self._folder}/kubelet.yaml",
            f"--kubeconfig={kubeconfig(self._plan, self._node.name)}",
            f"--hostname-override={self._node.name}", f"--node-ip={self._node.ip}",
        )  # fmt: skip
        self._start("kube-proxy", f"--config={self._folder}/kube-proxy.yaml")

    def _start(self, name: str, *arguments: str | Path) -> None:
        anchor = self._processes.record(program(self._node, "anchor"))
        assert anchor is not None
        namespaces = [f"/proc/{anchor.pid}/ns/{kind}" for kind in ("mnt", "uts")]
        into = [*network.enter(self._node), f"--mount={namespaces[0]}", f"--uts={namespaces[1]}"]
        command: list[str | Path] = [*into, self._binary(name), *arguments]
        # The shim looks runc up once by name, whatever containerd's configuration says.
        env = {"PATH": f"{self._binary('runc').parent}:{SYSTEM_PATH}"}
        self._processes.start(program(self._node, name), command, env)

    def _start_anchor(self) -> None:
        own = ["unshare", "--mount", "--uts"]
        script: list[str | Path] = ["sh", ANCHOR, self._folder, self._plan.state, self._node.name]
        name = program(self._node, "anchor")
        self._processes.start(name, [*network.enter(self._node), *own, *script])
        ready = self._folder / "mounts-ready"

        def anchored() -> bool:
            self._processes.require_alive(name)
            return ready.exists()

        wait_for(anchored, f"the mounts of node {self._node.name}", START_SECONDS, 0.02)

    def _wait_for_containerd(self) -> None:
        socket = self._folder / "fs" / CONTAINERD_SOCKET.relative_to("/")
        name = program(self._node, "containerd")

        def listening() -> bool:
            self._processes.require_alive(name)
            return socket.exists()

        wait_for(listening, f"containerd of node {self._node.name}", START_SECONDS)

    def _issue_certificate(self) -> None:
        name = self._node.name
        hosts = (name, self._node.ip)
        self._authority.issue(name, f"system:node:{name}", group="system:nodes", hosts=hosts)
        file = kubeconfig(self._plan, name)
        self._authority.write_kubeconfig(file, self._plan.api_url, name)

    def _write_configuration(self) -> None:
        (self._folder / "static-pods").mkdir(parents=True, exist_ok=True)
        self._write("cni/10-lab.conflist", json.dumps(self._cni()))
        self._write("containerd.toml", self._containerd())
        self._write("kubelet.yaml", yaml.safe_dump(self._kubelet()))
        self._write("kube-proxy.yaml", yaml.safe_dump(self._kube_proxy()))
        for setting, value in KERNEL_SETTINGS.items():
            self._write(f"kernel-settings/{setting}", f"{value}\n")
        registry = f"http://{self._plan.registry}"
        hosts = f'server = "{registry}"\n[host."{registry}"]\ncapabilities = ["pull", "resolve"]\n'
        self._write(f"registries/{self._plan.registry}/hosts.toml", hosts)

    def _write(self, name: str, content: str) -> None:
        file = self._folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def _cni(self) -> dict[str, object]:
        """Return the pods' network: routed point to point, as there may be no bridge filter."""
        ranges = [[{"subnet": self._node.pod_network}]]
        addresses = {"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}]}
        plugins = [
            {"type": "ptp", "ipMasq": False, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ]
        return {"cniVersion": "1.0.0", "name": "lab", "plugins": plugins}

    def _containerd(self) -> str:
        return f"""\
version = 3
root = "/var/lib/containerd"
state = "{CONTAINERD_SOCKET.parent}"
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{self._plan.registry}/{PAUSE_IMAGE}"
  [plugins.'io.containerd.cri.v1.images'.registry]
    config_path = "{self._folder}/registries"
[plugins.'io.containerd.cri.v1.runtime']
  # Else runc fails to set it where the machine itself may not lower it.
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["{CNI_FOLDER}"]
    conf_dir = "{self._folder}/cni"
    use_internal_loopback = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      runtime_path = "{self._binary("containerd-shim-runc-v2")}"
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = "{self._binary("runc")}"
        SystemdCgroup = false
"""

    def _kubelet(self) -> dict[str, object]:
        certificates = {"clientCAFile": str(self._authority.certificate("ca"))}
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": "0.0.0.0",
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self._plan.cgroup}/{self._node.name}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "volumePluginDir": "/var/lib/kubelet/volume-plugins",
            "staticPodPath": f"{self._folder}/static-pods",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": certificates,
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(self._authority.certificate(self._node.name)),
            "tlsPrivateKeyFile": str(self._authority.key(self._node.name)),
            "clusterDNS": [self._plan.dns_service],
            "clusterDomain": "cluster.local",
            "resolvConf": "",
            # The machine's disk may be nearly full of other things; that is not the lab's concern.
            "evictionHard": {"memory.available": "200Mi", "nodefs.available": "1%"},
            "imageGCHighThresholdPercent": 100,
            "serializeImagePulls": False,
            "enableProfilingHandler": False,
        }

    def _kube_proxy(self) -> dict[str, object]:
        untouched = {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s"}
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "hostnameOverride": self._node.name,
            "clusterCIDR": self._plan.pod_network,
            "clientConnection": {"kubeconfig": str(kubeconfig(self._plan, "kube-proxy"))},
            "conntrack": {**untouched, "tcpCloseWaitTimeout": "0s"},
        }
