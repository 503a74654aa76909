"""Starts etcd, the API server, the controller manager, the scheduler and the registry.

They run in the host. The API server and the registry listen on the lab's bridge, where nodes and
pods reach them; the others on a loopback address of the lab's own.
"""

import functools
from collections.abc import Callable
from pathlib import Path

import httpx
import yaml

from tests.lab.api import Api
from tests.lab.commands import wait_for
from tests.lab.pki import Authority
from tests.lab.plan import Plan
from tests.lab.processes import Processes

START_SECONDS = 90.0
"""Patience with a start; on a free machine it takes five."""

CONTROLLER_REQUESTS_PER_SECOND = 200
"""The default of 20 makes a DaemonSet of a large fleet take minutes."""

PROGRAMS = ("etcd", "registry", "kube-apiserver", "kube-controller-manager", "kube-scheduler")

Binary = Callable[[str], Path]


def issue_certificates(plan: Plan, authority: Authority) -> None:
    """Issue the control plane's certificates and write the kubeconfigs that go with them."""
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
    hosts = (*names, "127.0.0.1", plan.address, plan.api_service)
    authority.issue("apiserver", "kube-apiserver", hosts=hosts)
    authority.issue("admin", "admin", group="system:masters")
    users = ("admin", "kube-controller-manager", "kube-scheduler", "kube-proxy")
    for user in users:
        if user != "admin":
            authority.issue(user, f"system:{user}")
        authority.write_kubeconfig(kubeconfig(plan, user), plan.api_url, user)


def kubeconfig(plan: Plan, user: str) -> Path:
    """Return the file of a user's kubeconfig."""
    return plan.state / "kubeconfigs" / f"{user}.yaml"


class ControlPlane:
    """The control plane of one lab."""

    def __init__(
        self, plan: Plan, authority: Authority, processes: Processes, binary: Binary
    ) -> None:
        """Start nothing yet.

        Args:
            plan: The lab's addresses and ports.
            authority: Has issued the certificates.
            processes: Starts the programs.
            binary: Finds a program's file by its name.
        """
        self._plan = plan
        self._authority = authority
        self._processes = processes
        self._binary = binary

    @functools.cached_property
    def api(self) -> Api:
        """A client of the API server, once the administrator's certificate is issued."""
        return Api(self._plan.api_url, self._authority)

    def start(self) -> None:
        """Start everything but what needs the API server to serve."""
        self._processes.start("etcd", self._etcd())
        self._processes.start("registry", self._registry())
        self._processes.start("kube-apiserver", self._api_server())

    def wait_for_api(self) -> None:
        """Wait until the API server serves, then start the controllers.

        Raises:
            LabError: A program died or did not become ready; with the end of its log.
        """

        def serving() -> bool:
            self._processes.require_alive("etcd", "kube-apiserver")
            return self.api.ready()

        wait_for(serving, f"the API server at {self._plan.api_url}", START_SECONDS)
        self._processes.start("kube-controller-manager", self._controller_manager())
        self._processes.start("kube-scheduler", self._scheduler())

    def wait_for_registry(self) -> None:
        """Wait until the registry serves."""

        def serving() -> bool:
            self._processes.require_alive("registry")
            try:
                url = f"http://{self._plan.registry}/v2/"
                return httpx.get(url, trust_env=False).status_code == httpx.codes.OK
            except httpx.TransportError:
                return False

        wait_for(serving, f"the registry at {self._plan.registry}", START_SECONDS)

    def wait_for_controllers(self) -> None:
        """Wait until the controllers work, which shows in a new cluster's first objects."""

        def working() -> bool:
            self._processes.require_alive(*PROGRAMS)
            return self.api.exists("/api/v1/namespaces/default/serviceaccounts/default")

        wait_for(working, "the controller manager to make service accounts", START_SECONDS)

    def _etcd(self) -> list[str | Path]:
        plan = self._plan
        client = f"http://{plan.loopback}:{plan.etcd_port}"
        peer = f"http://{plan.loopback}:{plan.etcd_peer_port}"
        return [
            self._binary("etcd"), f"--data-dir={plan.state}/etcd", "--unsafe-no-fsync",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}", "--log-level=warn",
            f"--quota-backend-bytes={4 << 30}",
        ]  # fmt: skip

    def _api_server(self) -> list[str | Path]:
        plan, authority = self._plan, self._authority
        return [
            self._binary("kube-apiserver"),
            f"--etcd-servers=http://{plan.loopback}:{plan.etcd_port}",
            f"--bind-address={plan.address}", f"--advertise-address={plan.address}",
            f"--secure-port={plan.api_port}", f"--cert-dir={authority.folder}",
            f"--tls-cert-file={authority.certificate('apiserver')}",
            f"--tls-private-key-file={authority.key('apiserver')}",
            f"--client-ca-file={authority.certificate('ca')}",
            f"--kubelet-certificate-authority={authority.certificate('ca')}",
            f"--kubelet-client-certificate={authority.certificate('admin')}",
            f"--kubelet-client-key={authority.key('admin')}",
            # By name (the default) logs and exec fail: nothing resolves the nodes' names.
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={authority.folder}/sa.pub",
            f"--service-account-signing-key-file={authority.key('sa')}",
            f"--service-cluster-ip-range={plan.service_network}",
            "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
            # Webhooks are called at the pods' addresses; this host has no kube-proxy.
            "--enable-aggregator-routing=true",
            "--allow-privileged", "--profiling=false",
        ]  # fmt: skip

    def _controller_manager(self) -> list[str | Path]:
        plan, authority = self._plan, self._authority
        rate = CONTROLLER_REQUESTS_PER_SECOND
        return [
            self._binary("kube-controller-manager"),
            f"--kubeconfig={kubeconfig(plan, 'kube-controller-manager')}",
            f"--bind-address={plan.loopback}", f"--secure-port={plan.controller_port}",
            f"--root-ca-file={authority.certificate('ca')}",
            f"--service-account-private-key-file={authority.key('sa')}",
            f"--cluster-signing-cert-file={authority.certificate('ca')}",
            f"--cluster-signing-key-file={authority.key('ca')}",
            "--use-service-account-credentials", "--leader-elect=false", "--profiling=false",
            f"--kube-api-qps={rate}", f"--kube-api-burst={2 * rate}",
        ]  # fmt: skip

    def _scheduler(self) -> list[str | Path]:
        plan = self._plan
        return [
            self._binary("kube-scheduler"),
            f"--kubeconfig={kubeconfig(plan, 'kube-scheduler')}",
            f"--bind-address={plan.loopback}", f"--secure-port={plan.scheduler_port}",
            "--leader-elect=false", "--profiling=false",
        ]  # fmt: skip

    def _registry(self) -> list[str | Path]:
        config = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self._plan.registry_folder)},
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": {"addr": self._plan.registry},
        }
        file = self._plan.state / "registry.yaml"
        file.write_text(yaml.safe_dump(config))
        return ["docker-registry", "serve", file]
