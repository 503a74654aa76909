"""The lab's smoke test: what Skerry and its tests rely on works on the lab's real nodes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab import Lab, LabError
from tests.lab.commands import wait_for
from tests.lab.images import push_program

pytestmark = pytest.mark.e2e

REPOSITORY = Path(__file__).resolve().parents[2]
NAMESPACE = "lab-smoke"
IMAGE_VOLUME = "smoke/volume:1"
POD_SECONDS = 90.0

SERVER = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["NODE"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

print("serving on", os.environ["NODE"], flush=True)
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""

FETCH = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=5).read().decode())"

WHO_AM_I = """
import json, ssl, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
request = urllib.request.Request(
    "https://kubernetes.default.svc/apis/authentication.k8s.io/v1/selfsubjectreviews",
    json.dumps(body).encode(),
    {"Authorization": "Bearer " + open(folder + "token").read(),
     "Content-Type": "application/json"},
)
context = ssl.create_default_context(cafile=folder + "ca.crt")
print(urllib.request.urlopen(request, context=context, timeout=5).read().decode())
"""


class Pods:
    """The servers, by the node they run on."""

    def __init__(self, lab: Lab) -> None:
        """Look them up."""
        self._lab = lab
        items = self._json("get", "pods", "--selector=app=server")["items"]
        self.by_node = {item["spec"]["nodeName"]: item for item in items}

    def url(self, node: str) -> str:
        """Return the address of a node's server."""
        return f"http://{self.by_node[node]['status']['podIP']}:8080"

    def python(self, node: str, program: str, *arguments: str) -> str:
        """Run a Python program in a node's pod."""
        return self.kubectl("exec", self.name(node), "--", "python3", "-c", program, *arguments)

    def fetch(self, node: str, url: str) -> str:
        """Return what an address answers to a node's pod."""
        return self.python(node, FETCH, url).strip()

    def name(self, node: str) -> str:
        """Return the name of a node's pod."""
        name: str = self.by_node[node]["metadata"]["name"]
        return name

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the servers' namespace."""
        return self._lab.kubectl("--namespace", NAMESPACE, *arguments)

    def service(self, name: str) -> dict[str, Any]:
        """Return a Service."""
        return self._json("get", "service", name)

    def _json(self, *arguments: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.kubectl(*arguments, "--output=json"))
        return answer


@pytest.fixture(scope="module")
def base_image(lab: Lab) -> str:
    """Return the base image, in the lab's registry, by digest."""
    build = [sys.executable, "images/build.py", "--push", lab.registry, "--insecure", "base"]
    done = subprocess.run(build, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[1]


@pytest.fixture(scope="module")
def pods(lab: Lab, base_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    """Yield a small server on every node, as unprivileged as Kubernetes can make it."""
    file = tmp_path_factory.mktemp("volume") / "greeting"
    file.write_text("from an image volume")
    push_program(lab.registry, IMAGE_VOLUME, file)
    objects = _objects(base_image, f"{lab.registry}/{IMAGE_VOLUME}")
    lab.kubectl("apply", "--server-side", "-f-", stdin=yaml.safe_dump_all(objects))
    rollout = ("rollout", "status", "daemonset/server", f"--timeout={POD_SECONDS:g}s")
    lab.kubectl("--namespace", NAMESPACE, *rollout)
    yield Pods(lab)
    lab.kubectl("delete", "namespace", NAMESPACE)


def test_four_nodes_of_two_classes_are_ready(lab: Lab) -> None:
    nodes = json.loads(lab.kubectl("get", "nodes", "--output=json"))["items"]
    classes = {
        node["metadata"]["name"]: node["metadata"]["labels"]["skerry.dev/example-class"]
        for node in nodes
    }
    assert classes == {
        "x86-a-1": "x86-a",
        "x86-a-2": "x86-a",
        "x86-b-1": "x86-b",
        "x86-b-2": "x86-b",
    }
    assert {node["metadata"]["labels"]["kubernetes.io/hostname"] for node in nodes} == set(classes)


def test_pods_reach_each_other_on_all_nodes(lab: Lab, pods: Pods) -> None:
    for source in lab.nodes:
        for target in lab.nodes:
            assert pods.fetch(source.name, pods.url(target.name)) == target.name


def test_pods_reach_services_by_name_and_the_registry(lab: Lab, pods: Pods) -> None:
    for node in lab.nodes:
        # internalTrafficPolicy Local: always the caller's own node.
        assert pods.fetch(node.name, f"http://local.{NAMESPACE}.svc.cluster.local") == node.name
        assert pods.fetch(node.name, f"http://{lab.registry}/v2/") == "{}"


def test_a_process_next_to_kubernetes_reaches_services(lab: Lab, pods: Pods) -> None:
    cluster_ip = pods.service("local")["spec"]["clusterIP"]
    node_port = pods.service("everywhere")["spec"]["ports"][0]["nodePort"]
    for node in lab.nodes:
        fetch = (sys.executable, "-c", FETCH)
        assert lab.in_node(node, *fetch, f"http://{cluster_ip}").strip() == node.name
        answer = lab.in_node(node, *fetch, f"http://127.0.0.1:{node_port}").strip()
        assert answer in {other.name for other in lab.nodes}


def test_logs(lab: Lab, pods: Pods) -> None:
    for node in lab.nodes:
        assert f"serving on {node.name}" in pods.kubectl("logs", pods.name(node.name))


def test_image_volumes(lab: Lab, pods: Pods) -> None:
    for node in lab.nodes:
        content = pods.python(node.name, "print(open('/volume/greeting').read())")
        assert content.strip() == "from an image volume"


def test_host_paths_are_each_node_s_own(lab: Lab, pods: Pods) -> None:
    write = "import sys; open('/state/mark', 'x').write(sys.argv[1])"
    for node in lab.nodes:
        pods.python(node.name, write, node.name)
    for node in lab.nodes:
        assert pods.python(node.name, "print(open('/state/mark').read())").strip() == node.name


def test_tokens_are_bound_to_their_node(lab: Lab, pods: Pods) -> None:
    for node in lab.nodes:
        user = json.loads(pods.python(node.name, WHO_AM_I))["status"]["userInfo"]
        assert user["extra"]["authentication.kubernetes.io/node-name"] == [node.name]


def test_admission_policies_decide(lab: Lab, pods: Pods) -> None:
    lab.kubectl("apply", "--server-side", "-f-", stdin=yaml.safe_dump_all(_policy()))

    def refused() -> bool:
        try:
            pods.kubectl("create", "configmap", "forbidden", "--dry-run=server")
        except LabError as error:
            return "no such name here" in str(error)
        return False

    try:
        wait_for(refused, "the admission policy to be enforced", 30)
        pods.kubectl("create", "configmap", "allowed", "--dry-run=server")
    finally:
        lab.kubectl("delete", "-f-", stdin=yaml.safe_dump_all(_policy()))


def test_nothing_leads_out_of_the_lab(lab: Lab) -> None:
    for node in lab.nodes:
        with pytest.raises(LabError, match="unreachable"):
            lab.in_node(node, "ip", "route", "get", "192.0.2.1")


def test_a_node_that_is_cut_off_is_lost_and_comes_back(lab: Lab, pods: Pods) -> None:
    node, other = lab.nodes[3], lab.nodes[0]
    mine = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080').read().decode())"
    before = pods.by_node[node.name]["status"]["containerStatuses"][0]["containerID"]
    lab.cut(node)
    try:
        with pytest.raises(LabError):
            pods.fetch(other.name, pods.url(node.name))
        url = pods.url(node.name)  # its pod keeps running
        assert lab.in_node(node, sys.executable, "-c", FETCH, url).strip() == node.name
        wait_for(lambda: _ready(lab, node.name) != "True", f"{node.name} to be missed", 90, 1)
    finally:
        lab.mend(node)
    wait_for(lambda: _ready(lab, node.name) == "True", f"{node.name} to be ready again", 60, 1)
    assert pods.python(node.name, mine).strip() == node.name
    assert Pods(lab).by_node[node.name]["status"]["containerStatuses"][0]["containerID"] == before


def _ready(lab: Lab, node: str) -> str:
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    return lab.kubectl("get", "node", node, "--output", path)


def _objects(image: str, volume: str) -> list[dict[str, Any]]:
    namespace = {"name": NAMESPACE}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": namespace},
        _daemon_set(image, volume),
        _service("local", {"internalTrafficPolicy": "Local"}),
        _service("everywhere", {"type": "NodePort"}),
    ]


def _service(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    ports = [{"port": 80, "targetPort": 8080}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"selector": {"app": "server"}, "ports": ports, **spec},
    }


def _daemon_set(image: str, volume: str) -> dict[str, Any]:
    labels = {"app": "server"}
    spec = {
        "terminationGracePeriodSeconds": 0,
        "containers": [_container(image)],
        "volumes": [
            {"name": "volume", "image": {"reference": volume}},
            {"name": "state", "hostPath": {"path": "/var/lib/smoke", "type": "DirectoryOrCreate"}},
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "server", "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def _container(image: str) -> dict[str, Any]:
    return {
        "name": "server",
        "image": image,
        "command": ["python3", "-c", SERVER],
        "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "volume", "mountPath": "/volume"},
            {"name": "state", "mountPath": "/state"},
        ],
        # Root only in this test: a new hostPath folder belongs to root.
        "securityContext": {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def _policy() -> list[dict[str, Any]]:
    name = {"name": "lab-smoke"}
    rules = [
        {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "resources": ["configmaps"],
            "operations": ["CREATE"],
        }
    ]
    group = "admissionregistration.k8s.io/v1"
    allowed = "object.metadata.name != 'forbidden'"
    policy = {
        "matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": allowed, "message": "no such name here"}],
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}
    binding = {
        "policyName": "lab-smoke",
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": selector},
    }
    return [
        {
            "apiVersion": group,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": name,
            "spec": policy,
        },
        {
            "apiVersion": group,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": name,
            "spec": binding,
        },
    ]
