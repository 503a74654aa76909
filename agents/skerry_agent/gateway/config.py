"""Writes HAProxy's configuration: pure text from the state of the gateway.

Requests are routed by `Host: name.namespace[.svc...]`, else by the path prefix
`/namespace/name` (taken off), and a bare `name` by the namespace of the caller's address. Each
backend is one EdgeModel, each server one revision. A gRPC call has its host in `:authority` and
comes by HTTP/2 on the same port; Skerry's own runtime takes it as HTTP/1.1 with trailers like any
request, a replaced one has a port for it and so a second backend, NAMESPACE.NAME:grpc. `started` is
taken when the whole request is there and `answered` when the answer's head comes, in microseconds: a
slow client is not the model's fault. A request that fails is tried once more on the other revision
where its body fits a buffer; the log's `%rc` then begins with '+', and the agent counts the failure
of the one that was left. What the health checks find is logged as well: the agent looks at once.
`grpc-status` of an answer counts for gRPC calls only, and by its digits: a server on trial could else turn
each of its failures into an answer that counts for nothing.

A gateway that stops (each reload, each upgrade) counts no server of its backends as usable, while calls
still come on the connections that it has: `nbsrv eq 0` alone would refuse them.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from skerry_agent.gateway.state import GatewayState, model_of
from skerry_agent.protocols import OPEN_INFERENCE, known_protocols

if TYPE_CHECKING:
    from skerry_agent.gateway.paths import GatewayPaths
    from skerry_agent.gateway.state import Server

PORT = 8080
METRICS_PORT = 8405
CHECK = "check inter 500ms fall 2 rise 1 pool-purge-delay 2s"
"""Idle connections to a server are closed before it closes them itself (uvicorn: after 5 s): a
request that meets a closing connection would look like the server's failure."""

GLOBAL = """\
global
    description {form}
    stats socket "{run}/${{POD_NAME}}.admin" mode 600 level admin expose-fd listeners
    log {log} len 1024 format raw local0 info
    nbthread 1
    maxconn 2000
    # a container runtime with a low limit of open files shall slow it down, not stop it
    no strict-limits
    hard-stop-after 30s

defaults
    mode http
    log global
    timeout connect 1s
    timeout client 60s
    timeout server 30s
    timeout http-request 10s
    timeout http-keep-alive 60s
    timeout check 1s
    option idle-close-on-response
    option redispatch 1
    retries 1
    retry-on conn-failure empty-response junk-response response-timeout 500 502 503 504

frontend metrics
    bind :{metrics_port}
    no log
    http-request use-service prometheus-exporter if {{ path /metrics }}
    http-request return status 404 content-type text/plain string "metrics are at /metrics"

frontend models
    bind :{port}
    log-format "%b %s %ST %ts %rc %[var(txn.started)] %[var(txn.answered)] %[date(0,us)] %[var(txn.grpc)] %[var(txn.stream)]"
    http-after-response set-header X-Skerry-Node "${{NODE_NAME}}"
    http-after-response set-header Content-Type application/grpc if {{ var(txn.call) -m bool }} {{ res.hdr(grpc-status) -m found }}
    http-request set-log-level silent if {{ path /skerry/healthz }}
    http-request return status 200 content-type text/plain string "ok" if {{ path /skerry/healthz }}
    acl grpc req.hdr(content-type) -m beg application/grpc
    http-request set-var(txn.call) bool(true) if grpc
    acl unary path -m beg {unary}
    http-request set-var(txn.stream) str(stream) if grpc !unary
    http-request wait-for-body time 10s unless grpc !unary
    http-request set-var(txn.started) date(0,us)
    http-request set-var(txn.host) req.hdr(host),field(1,:),lower,rtrim(.)
    acl by_address var(txn.host) -m reg ^([0-9.]+$|[[])
    http-request set-var(txn.name) var(txn.host),field(1,.)
    http-request set-var(txn.namespace) var(txn.host),field(2,.)
    http-request set-var(txn.namespace) src,map_ip({callers}) unless {{ var(txn.namespace) -m found }}
    http-request set-var(txn.model) var(txn.namespace),concat(.,txn.name)
    http-request set-var(txn.path_name) path,field(3,/)
    http-request set-var(txn.path_model) path,field(2,/),concat(.,txn.path_name)
{known}
    http-request set-var(txn.prefixed) bool(true) if !by_host by_path
    http-request set-var(txn.model) var(txn.path_model) if {{ var(txn.prefixed) -m bool }}
    http-request replace-path /[^/]+/[^/]+/?(.*) /\\1 if {{ var(txn.prefixed) -m bool }}
    http-request set-log-level silent unless by_host
    http-request return status 200 hdr grpc-status 3 hdr grpc-message '{bare_grpc}' if grpc !by_host by_address or grpc !by_host !{{ var(txn.namespace) -m found }}
    http-request return status 200 hdr grpc-status 5 hdr grpc-message '{unknown_grpc}' if grpc !by_host
    http-request return status 404 content-type application/json lf-string '{no_path}' if !by_host by_address
    http-request return status 400 content-type application/json lf-string '{bare}' if !by_host !{{ var(txn.namespace) -m found }}
    http-request return status 404 content-type application/json lf-string '{unknown}' if !by_host
{two_ports}    use_backend %[var(txn.model)]
"""  # noqa: E501 - HAProxy knows no continued lines

BARE_GRPC = (
    'the authority "%[req.hdr(host),json(utf8s)]" names no EdgeModel on its own: say which namespace, as in'
    " NAME.NAMESPACE.svc (most clients: the channel argument grpc.default_authority)"
)
UNKNOWN_GRPC = (
    'no EdgeModel "%[var(txn.name),json(utf8s)]" in namespace "%[var(txn.namespace),json(utf8s)]" is served'
    " on node %[env(NODE_NAME)]; a call names it by its authority, NAME.NAMESPACE.svc"
)
BARE = (
    '{"error":"the host \\"%[var(txn.host),json(utf8s)]\\" names no EdgeModel on its own: say which'
    " namespace, as in http://NAME.NAMESPACE.svc or with the path prefix /NAMESPACE/NAME/ (a bare name"
    ' is enough only from a pod in the namespace of the EdgeModel on the same node)"}'
)
UNKNOWN = (
    '{"error":"no EdgeModel \\"%[var(txn.name),json(utf8s)]\\" in namespace'
    ' \\"%[var(txn.namespace),json(utf8s)]\\" is served on node ${NODE_NAME}, and the path'
    ' has no prefix /NAMESPACE/NAME/ of one. Served here: {served}"}'
)
NO_PATH = (
    '{"error":"a request to an address names the EdgeModel in its path, and \\"%[path,json(utf8s)]\\" has no'
    ' prefix /NAMESPACE/NAME/ of one that node ${NODE_NAME} serves. Served here: {served}"}'
)
BACKEND = """\

backend {name}
    balance roundrobin
    option httpchk
    http-check send meth GET uri-lf %[srv_name,map_str({checks},{ready})]
    http-check expect status 200
    option log-health-checks
    http-request set-var(txn.reason) str("no revision of it can answer now")
    http-request set-var(txn.reason) str({key}),map_str({reasons}),url_dec if {{ str({key}),map_str({reasons}) -m found }}
    http-error status 503 content-type application/json lf-string '{{"error":"{key} on node %[env(NODE_NAME)]: %[var(txn.reason),json(utf8s)]"}}'
    http-request return status 200 hdr grpc-status 14 hdr grpc-message "{key} on node %[env(NODE_NAME)]: %[var(txn.reason)]" if {{ nbsrv eq 0 }} !{{ stopping }} {{ req.hdr(content-type) -m beg application/grpc }}
    http-request disable-l7-retry if {{ nbsrv lt 2 }}
    http-response set-var(txn.answered) date(0,us)
    http-response set-var(txn.grpc) res.hdr(grpc-status),regsub([^0-9],x,g),bytes(0,4) if {{ var(txn.call) -m bool }} {{ res.hdr(grpc-status) -m found }}
    http-response set-status 200 if {{ var(txn.call) -m bool }} {{ res.hdr(grpc-status) -m found }}
    http-after-response set-header X-Skerry-Revision %s if {{ srv_id -m found }}
"""  # noqa: E501 - as above
MOST_NAMED = 16


def render(
    state: GatewayState, paths: GatewayPaths, port: int = PORT, metrics_port: int = METRICS_PORT
) -> str:
    """Return the whole configuration file."""
    form = form_of(paths, port, metrics_port)
    parts = [_backend(name, servers, paths) for name, servers in sorted(state.pools().items())]
    return _head(state, paths, port, metrics_port, form) + "".join(parts)


def form_of(paths: GatewayPaths, port: int = PORT, metrics_port: int = METRICS_PORT) -> str:
    """Return what a gateway says of the configuration that it runs: the same whatever models there are.

    An agent that writes another one, as after an upgrade, knows by it that a reload is due.
    """
    text = _head(GatewayState(), paths, port, metrics_port, "") + _backend("a.b", {}, paths)
    return f"skerry-{sha256(text.encode()).hexdigest()[:16]}"


def _head(state: GatewayState, paths: GatewayPaths, port: int, metrics_port: int, form: str) -> str:
    return GLOBAL.format(
        form=form,
        run=paths.run,
        log=paths.log,
        callers=paths.callers,
        port=port,
        metrics_port=metrics_port,
        known=_known(state),
        bare=BARE,
        unknown=_with_served(UNKNOWN, state),
        no_path=_with_served(NO_PATH, state),
        bare_grpc=BARE_GRPC,
        unknown_grpc=UNKNOWN_GRPC,
        unary=" ".join(method for one in known_protocols().values() for method in one.unary),
        two_ports=_two_ports(state),
    )


def lines_of_map(entries: dict[str, str]) -> str:
    """Return a map file with one key and its value per line."""
    return "".join(f"{key} {value}\n" for key, value in sorted(entries.items()))


def _known(state: GatewayState) -> str:
    lines = ["    acl by_host always_false", "    acl by_path always_false"]
    for key in sorted(state.backends):
        lines += [f"    acl by_host var(txn.model) -m str {key}"]
        lines += [f"    acl by_path var(txn.path_model) -m str {key}"]
    return "\n".join(lines)


def _with_served(message: str, state: GatewayState) -> str:
    names = [".".join(reversed(key.split("."))) for key in sorted(state.backends)]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    served = ", ".join(names[:MOST_NAMED]) + more if names else "none yet"
    return message.replace("${NODE_NAME}", "%[env(NODE_NAME)]").replace("{served}", served)


def _two_ports(state: GatewayState) -> str:
    return "".join(
        f"    use_backend {name} if grpc {{ var(txn.model) -m str {model_of(name)} }}\n"
        for name in sorted(state.pools())
        if name != model_of(name)
    )


def _backend(name: str, pool: dict[str, Server], paths: GatewayPaths) -> str:
    servers = "".join(
        f"    server {revision} {server.endpoint} {options(server)}\n"
        for revision, server in sorted(pool.items())
    )
    head = BACKEND.format(
        name=name,
        key=model_of(name),
        reasons=paths.reasons,
        checks=paths.checks,
        ready=OPEN_INFERENCE.ready,
    )
    return head + servers


def options(server: Server) -> str:
    """Return what follows a server's address, in the file and on the runtime socket alike."""
    if not server.http2:
        return f"{CHECK} weight {server.weight}"
    # the port for gRPC knows no health check of REST
    return f"{CHECK} port {server.check_port} check-proto h1 proto h2 weight {server.weight}"
