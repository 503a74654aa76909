"""The reference's first page: kinds, conditions, phases, annotations and labels."""

from __future__ import annotations

from docs.tools.table import code, table
from skerry.api import KINDS
from skerry.api.actions import (
    ANNOTATION_ABORT,
    ANNOTATION_PROMOTE,
    ANNOTATION_RETRY,
    ANNOTATION_UNDO,
)
from skerry.api.common import (
    ANNOTATION_PROTOCOL,
    LABEL_CLASS,
    LABEL_MODEL,
    LABEL_REVISION,
    NODE_LABEL_CLASS,
    NODE_LABEL_SHARD,
)
from skerry.api.edgemodel import Phase
from skerry.api.placement import ANNOTATION_PLACEMENT

CONDITIONS = (
    ("EdgeModel", "Ready", "The desired revision answers on every reachable node."),
    ("EdgeModel", "Accepted", "Source, data set, classes and engines of the spec can be used."),
    ("EdgeModel", "Optimized", "Every target is built and measured, whether or not it passes the gates."),
    ("EdgeModel", "Certified", "Every target has a build that passes its required gates."),
    ("EdgeModel", "RolledOut", "The desired revision is stable in every class."),
    ("EdgeModel", "Available",
     "A good revision answers on every reachable node; stays true through a rollback."),
    ("EdgeModel, ModelVariant", "Reconciling", "kstatus: work is in progress. Set only while true."),
    ("EdgeModel, ModelVariant, HardwareClass", "Stalled",
     "kstatus: a person has to act. Set only while true."),
    ("ModelVariant", "Certified", "A build passes the gates. Unknown while it is being built."),
    ("HardwareClass", "Accepted", "Set only while the class can't be read; then it is False."),
    ("HardwareClass", "Ready", "Set only while the class can't be read; then it is False."),
    ("HardwareClass", "Distinct", "No other class of the same priority selects its nodes."),
    ("HardwareClass", "Uniform", "Its nodes are equal in what matters to a build. Unknown without facts."),
    ("HardwareClass", "AsSpecified", "Its nodes match the spec. Unknown without facts."),
    ("HardwareClass", "Complete", "All of its nodes take part in rollouts: none lacks an agent."),
)  # fmt: skip

PHASES = {
    Phase.FAILED: "No build can be made or certified for the spec. The stable revision keeps serving.",
    Phase.ROLLED_BACK: "The desired revision was rolled back. The stable revision keeps serving.",
    Phase.PAUSED: "A person has to act: `spec.suspend` is true, or a candidate awaits approval.",
    Phase.ROLLING_OUT: "A candidate is being rolled out over the nodes.",
    Phase.OPTIMIZING: "Builds are made and measured.",
    Phase.PENDING: "It waits for something else: digests, a build slot, nodes.",
    Phase.SERVING: "The desired revision answers on every reachable node.",
}

ANNOTATIONS = {
    ANNOTATION_PROMOTE: "Approves candidates if `promotion` is Manual: `REVISION[:ATTEMPT][/NONCE]`, by comma.",
    ANNOTATION_ABORT: "Rolls candidates back: `REVISION[:ATTEMPT]`.",
    ANNOTATION_UNDO: "Rolls back from this stable revision to the previous one: `REVISION[:ATTEMPT]`.",
    ANNOTATION_RETRY: "Any new text retries what failed or was rolled back, and resolves tags again.",
}

SET_BY_SKERRY = {
    ANNOTATION_PROTOCOL: "On a serving pod: how the agent asks the server, such as OpenInference.",
    NODE_LABEL_CLASS: "The HardwareClass of a node. Only Skerry sets it.",
    NODE_LABEL_SHARD: "The 64th of the class that a node belongs to. Only Skerry sets it.",
    LABEL_MODEL: "The EdgeModel that an object belongs to.",
    LABEL_CLASS: "The HardwareClass that an object belongs to.",
    LABEL_REVISION: "The revision that a pod or DaemonSet serves.",
    ANNOTATION_PLACEMENT: "Of a DaemonSet: the placement in the ModelRoute that its node affinity was made from.",
}


def render() -> str:
    """Return the page."""
    missing = set(Phase) - set(PHASES)
    if missing:
        raise ValueError(f"docs/tools/index.py does not describe the phases {sorted(missing)}")
    kinds = [
        (f"[{k.__name__}]({k.__name__.lower()}.md)", code(k.info.short), (k.__doc__ or "").split("\n")[0])
        for k in KINDS
    ]  # fmt: skip
    conditions = [(kind, code(name), text) for kind, name, text in CONDITIONS]
    return (
        "# Reference\n\n"
        + table(("kind", "short", "what it is"), kinds)
        + "\n[Commands](commands.md) · [Metrics](metrics.md) ·"
        " [Values of the chart](../../charts/skerry/README.md#values) ·"
        " [Reasons](reasons.md) · [Troubleshooting](../troubleshooting.md)\n"
        + "\n## Phases of an EdgeModel\n\nWith several classes: the first of these that holds for any.\n\n"
        + table(("phase", "what it means"), [(code(p), t) for p, t in PHASES.items()])
        + "\n## Conditions\n\nEach with reason, message and `observedGeneration`.\n\n"
        + table(("of", "condition", "true when"), conditions)
        + "\n## Annotations of an EdgeModel\n\n"
        + table(("annotation", "what it does"), [(code(k), t) for k, t in ANNOTATIONS.items()])
        + "\n## Labels and annotations that Skerry sets\n\n"
        + table(("name", "what it is"), [(code(k), t) for k, t in SET_BY_SKERRY.items()])
    )
