"""A page for the metrics, from the collectors themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client.metrics import MetricWrapperBase

from docs.tools.table import code, table
from skerry.controllers import metrics as operator
from skerry_agent import metrics as agent
from skerry_runtime.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Iterable

INTRODUCTION = """# Metrics

The chart's PodMonitors scrape them and add the labels `node` (the device) and `skerry_dev_model` (the model
of a server's pod). Memory and CPU of each process are there too, by the client's own collector. The gateway
shows HAProxy's own metrics (`haproxy_*`): a backend is a model, named `NAMESPACE.NAME`, a server a revision of it.
Alerts on them are in [charts/skerry/files/rules.yaml](../../charts/skerry/files/rules.yaml).
"""


def render() -> str:
    """Return the page."""
    runtime = Metrics(lambda: 0)
    parts = {
        "Operator, port 9090": _of(vars(operator).values()),
        "Agent, on each device": _of(vars(agent).values()),
        # The registry is the runtime's own; the client has no public way to list its collectors.
        "Server of a model": _of(runtime._registry._collector_to_names),  # noqa: SLF001
    }
    header = ("metric", "type", "labels", "what it is")
    return INTRODUCTION + "".join(
        f"\n## {title}\n\n{table(header, map(_row, found))}" for title, found in parts.items()
    )


def _of(values: Iterable[Any]) -> list[MetricWrapperBase]:
    return [value for value in values if isinstance(value, MetricWrapperBase)]


def _row(metric: MetricWrapperBase) -> tuple[str, str, str, str]:
    # Name, kind and labels have no public names either.
    kind = str(metric._type)  # noqa: SLF001
    name = metric._name + ("_total" if kind == "counter" else "")  # noqa: SLF001
    labels = ", ".join(code(label) for label in metric._labelnames)  # noqa: SLF001
    return code(name), kind, labels, metric._documentation  # noqa: SLF001
