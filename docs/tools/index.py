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
    LABEL_CLASS,
    LABEL_MODEL,
    LABEL_REVISION,
    NODE_LABEL_CLASS,
    NODE_LABEL_SHARD,
)
from skerry.api.edgemodel import Phase

CONDITIONS = (
    ("EdgeModel", "Ready", "What the spec asks for is what answers, on every reachable node."),
    ("EdgeModel", "Accepted", "Source, data set, classes and engines of the spec can be used."),
    ("EdgeModel", "Optimized", "Every target is built and measured, whatever the gates say to it."),
    ("EdgeModel", "Certified", "Every target has a build that passes its required gates."),
    ("EdgeModel", "RolledOut", "What the spec asks for is stable in every class."),
    ("EdgeModel", "Available",
     "A good revision answers on every reachable node; stays true through a rollback."),
    ("EdgeModel, ModelVariant", "Reconciling", "kstatus: it is on its way. There only while true."),
    ("EdgeModel, ModelVariant, HardwareClass", "Stalled",
     "kstatus: it waits for a person. There only while true."),
    ("ModelVariant", "Certified", "A build passes the gates; Unknown while it is built."),
    ("HardwareClass", "Accepted", "There only while the class can't be read, and False then."),
    ("HardwareClass", "Ready", "There only while the class can't be read, and False then."),
    ("HardwareClass", "Distinct", "No other class of the same priority selects its nodes."),
    ("HardwareClass", "Uniform", "Its nodes are alike in what matters to a build; Unknown without facts."),
    ("HardwareClass", "AsSpecified", "Its nodes are what the spec says; Unknown without facts."),
    ("HardwareClass", "Complete", "All of its nodes take part in rollouts: none lacks an agent."),
)  # fmt: skip

PHASES = {
    Phase.FAILED: "Nothing can be built or certified as the spec says; what served goes on serving.",
    Phase.ROLLED_BACK: "What the spec asks for was taken back; stable goes on serving.",
    Phase.PAUSED: "It waits for a person: `suspend`, or a promotion by hand.",
    Phase.ROLLING_OUT: "A candidate is on its way over the nodes.",
    Phase.OPTIMIZING: "Builds are made and measured.",
    Phase.PENDING: "It waits for something else: digests, a build slot, nodes.",
    Phase.SERVING: "What the spec asks for answers on every reachable node.",
}

ANNOTATIONS = {
    ANNOTATION_PROMOTE: "Approves candidates where `promotion` is Manual: `REVISION[:ATTEMPT][/NONCE]`, by comma.",
    ANNOTATION_ABORT: "Takes candidates back: `REVISION[:ATTEMPT]`.",
    ANNOTATION_UNDO: "Goes back from this stable revision to the one before: `REVISION[:ATTEMPT]`.",
    ANNOTATION_RETRY: "Any new text: what failed or was taken back is tried again, tags are resolved anew.",
}

LABELS = {
    NODE_LABEL_CLASS: "On nodes, by Skerry alone: the HardwareClass.",
    NODE_LABEL_SHARD: "On nodes, by Skerry alone: which 64th of the class it belongs to.",
    LABEL_MODEL: "On what belongs to an EdgeModel: its name.",
    LABEL_CLASS: "On what belongs to a class: its name.",
    LABEL_REVISION: "On pods and DaemonSets that serve: the revision.",
}


def render() -> str:
    """The page."""
    missing = set(Phase) - set(PHASES)
    if missing:
        raise ValueError(f"docs/tools/index.py tells nothing of the phases {sorted(missing)}")
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
        " [Reasons of conditions](../troubleshooting.md)\n"
        + "\n## Phases of an EdgeModel\n\nWith several classes: the first of these that holds for any.\n\n"
        + table(("phase", "what it means"), [(code(p), t) for p, t in PHASES.items()])
        + "\n## Conditions\n\nEach with reason, message and `observedGeneration`.\n\n"
        + table(("of", "condition", "true when"), conditions)
        + "\n## Annotations of an EdgeModel\n\n"
        + table(("annotation", "what it does"), [(code(k), t) for k, t in ANNOTATIONS.items()])
        + "\n## Labels\n\n"
        + table(("label", "what it is"), [(code(k), t) for k, t in LABELS.items()])
    )
