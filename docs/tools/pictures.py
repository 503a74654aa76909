"""The pictures of docs/concepts.md: the way of a model, what is on a device, and how waves open."""

from __future__ import annotations

import itertools

from docs.tools.svg import BLUE, GREEN, GREY, RED, WHITE, YELLOW, Box, Drawing


def drawn() -> dict[str, str]:
    """Return SVG by name of the file."""
    return {"way-of-a-model": way(), "device": device(), "waves": waves()}


def way() -> str:
    """Return the picture of the way from the source to a revision that serves, and back."""
    made = Drawing(980, 330, "The way of a model: assess, build, measure, gate, roll out, guard")
    steps = (
        ("EdgeModel", ("source, data set,", "classes, gates"), YELLOW),
        ("Assess", ("one small job reads", "model and data set"), GREY),
        ("Build and measure", ("a job per class and", "engine, on a node", "of the class"), BLUE),
        ("Gate and certify", ("best build that passes;", "none: nothing changes"), BLUE),
        ("Roll out", ("wave by wave,", "blue-green", "on each node"), GREEN),
    )
    boxes = [
        made.box(Box(10 + 195 * i, 60, 165, 100), title, *lines, fill=fill)
        for i, (title, lines, fill) in enumerate(steps)
    ]
    for one, other in itertools.pairwise(boxes):
        made.arrow(one.right, other.left)
    last = boxes[-1]
    guard = made.box(
        Box(790, 220, 165, 90), "Guard", "each device compares", "candidate and stable,", "also when disconnected",
        fill=RED,
    )  # fmt: skip
    made.arrow(last.bottom, guard.top)
    stable = made.box(
        Box(400, 220, 165, 90), "Stable", "serves, before and", "through all of this", fill=GREEN
    )
    right = stable.right[0]
    made.arrow((790, 245), (right, 245), label="good on every node: promoted", at=(677, 238))
    made.arrow((790, 290), (right, 290), label="worse: rolled back, stable serves", at=(677, 306))
    made.text((480, 30), "One EdgeModel, for each hardware class", bold=True)
    return made.svg()


def device() -> str:
    """Return the picture of what runs on a node, and of who writes what."""
    made = Drawing(860, 430, "A device: gateway, servers of two revisions, agent")
    made.box(Box(250, 60, 590, 350), "One node of the fleet", fill=GREY, dashed=True)
    callers = made.box(
        Box(20, 130, 170, 80), "Callers", "pods on this node ask", "MODEL.NAMESPACE.svc"
    )
    gateway = made.box(
        Box(290, 120, 160, 100), "Gateway", "HAProxy, one port,", "REST and gRPC", fill=BLUE
    )
    made.box(
        Box(600, 90, 210, 70),
        "Stable",
        "server + model image by digest",
        "90 % of the requests",
        fill=GREEN,
    )
    made.box(
        Box(600, 185, 210, 70), "Candidate", "server + model image by digest", "10 % of the requests",
        fill=YELLOW,
    )  # fmt: skip
    made.box(
        Box(290, 290, 520, 100), "Agent",
        "smoke check with golden samples, then traffic step by step", "compares the two by statistics",
        "on a Fail: all traffic back to stable immediately, by itself", fill=RED,
    )  # fmt: skip
    made.arrow(callers.right, gateway.left)
    made.arrow((450, 150), (600, 150))
    made.arrow((450, 205), (600, 205))
    made.arrow((340, 290), (340, 220), label="weights", at=(312, 260))
    made.arrow((400, 220), (400, 290), label="timers of each request", at=(472, 260))
    made.arrow((705, 290), (705, 255), label="golden", at=(730, 277))
    made.box(Box(20, 290, 170, 100), "API server", "ModelRoute", "EdgeNode", "Lease", fill=WHITE)
    made.arrow((190, 320), (290, 320), label="roles", at=(220, 314))
    made.arrow((290, 365), (190, 365), label="verdicts", at=(220, 359))
    made.text(
        (430, 30),
        "Traffic never leaves the device; the gateway keeps working without agent and API server",
        size=13,
    )
    return made.svg()


def waves() -> str:
    """Return the picture of three moments of a rollout over twenty nodes."""
    made = Drawing(860, 300, "Waves: 5 %, 25 %, 100 % of the nodes of a class")
    moments = (
        ("Wave 1: 5 %", 1, "one node at least;", "soaks, then passes"),
        ("Wave 2: 25 %", 5, "opens when every reachable", "node of wave 1 has passed"),
        ("Wave 3: 100 %", 20, "all passed: promoted,", "stable becomes previous"),
    )
    for number, (title, opened, *lines) in enumerate(moments):
        left = 20 + 285 * number
        made.box(Box(left, 20, 250, 190), title, fill=GREY)
        for node in range(20):
            at = (left + 35 + 45 * (node % 5), 65 + 36 * (node // 5))
            offline = node == 18  # noqa: PLR2004 - one of them is disconnected
            fill = RED if offline else (YELLOW if node < opened else GREEN)
            made.circle(at, 13, fill)
        for line, words in enumerate(lines):
            made.text((left + 125, 232 + 17 * line), words, size=13)
    for left in (270, 555):
        made.arrow((left, 115), (left + 35, 115))
    legend = (
        ("stable", GREEN),
        ("stable and candidate", YELLOW),
        ("disconnected: skipped, catches up", RED),
    )
    for number, (words, fill) in enumerate(legend):
        made.circle((150 + 180 * number, 280), 8, fill)
        made.text((165 + 180 * number, 285), words, size=12, anchor="start")
    return made.svg()
