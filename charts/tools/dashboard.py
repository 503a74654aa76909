"""The Grafana board, by Grafana's own builders: its rows follow a request's questions, from fleet to model.

Label names are those that the chart's PodMonitors give: `node` is the device, `skerry_dev_model` the model
of a runtime's pod.
"""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as board
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.builders.common import VizLegendOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueGraphMode, LegendDisplayMode
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
HEIGHT, WIDTH, NARROW, FILL = 7, 8, 4, 10
REQUESTS = 'skerry_runtime_requests_total{skerry_dev_model=~"$model"}'
SECONDS = 'skerry_runtime_request_seconds_bucket{skerry_dev_model=~"$model"}'


@dataclass(frozen=True)
class Chart:
    """One panel: a number now, or lines over time.

    Attributes:
        legend: of each line, in Grafana's words.
        unit: Grafana's name of it.
        now: a number instead of lines.
    """

    title: str
    query: str
    legend: str = ""
    unit: str = "short"
    now: bool = False


ROWS: dict[str, tuple[Chart, ...]] = {
    "Fleet": (
        Chart("Leading operators", "sum(skerry_leading)", now=True),
        Chart("Devices connected", "sum(skerry_agent_connected)", now=True),
        Chart("Devices with a veto", "count(skerry_agent_vetoes > 0) or vector(0)", now=True),
        Chart("Jobs", "max(skerry_optimization_jobs)", now=True),
        Chart(
            "Revisions ended",
            "sum by (outcome) (increase(skerry_revisions_ended_total[$__range]))",
            "{{outcome}}",
            now=True,
        ),
        Chart(
            "Revisions rolled back, by rule",
            "sum by (rule) (increase(skerry_revisions_rejected_total[$__range]))",
            "{{rule}}",
            now=True,
        ),
    ),
    "Rollout on the devices": (
        Chart(
            "Share of the candidate",
            'avg by (model) (skerry_agent_candidate_traffic_ratio{model=~".*$model"})',
            "{{model}}",
            "percentunit",
        ),
        Chart(
            "Verdicts",
            'sum by (outcome) (skerry_agent_verdict{model=~".*$model"})',
            "{{outcome}}",
        ),
        Chart(
            "Failed answers, as the guard counts them",
            'sum by (model, revision) (rate(skerry_agent_answers_total{model=~".*$model",'
            'outcome="failed"}[$__rate_interval]))',
            "{{model}} {{revision}}",
            "reqps",
        ),
        Chart(
            "Answers in the guard's window",
            'sum by (model, side) (skerry_agent_window_samples{model=~".*$model"})',
            "{{model}} {{side}}",
        ),
    ),
    "Models": (
        Chart(
            "Requests",
            f"sum by (skerry_dev_model, code) (rate({REQUESTS}[$__rate_interval]))",
            "{{skerry_dev_model}} {{code}}",
            "reqps",
        ),
        Chart(
            "Latency, p99",
            "histogram_quantile(0.99, sum by (skerry_dev_model, le)"
            f" (rate({SECONDS}[$__rate_interval])))",
            "{{skerry_dev_model}}",
            "s",
        ),
        Chart(
            "In flight",
            'sum by (skerry_dev_model) (skerry_runtime_in_flight{skerry_dev_model=~"$model"})',
            "{{skerry_dev_model}}",
        ),
        Chart(
            "Memory of a server",
            'max by (skerry_dev_model) (process_resident_memory_bytes{skerry_dev_model=~"$model"})',
            "{{skerry_dev_model}}",
            "bytes",
        ),
    ),
    "Gateways": (
        Chart(
            "Answers, by model and class of status",
            'sum by (proxy, code) (rate(haproxy_backend_http_responses_total{proxy=~".*$model"}'
            "[$__rate_interval]))",
            "{{proxy}} {{code}}",
            "reqps",
        ),
        Chart(
            "Revisions that answer, fewest on a device",
            'min by (proxy) (haproxy_backend_active_servers{proxy=~".*$model"})',
            "{{proxy}}",
        ),
        Chart(
            "Time to the answer, mean of the last 1024",
            'max by (proxy) (haproxy_backend_response_time_average_seconds{proxy=~".*$model"})',
            "{{proxy}}",
            "s",
        ),
    ),
    "Control plane": (
        Chart(
            "Reconciles",
            "sum by (result) (rate(skerry_reconcile_total[$__rate_interval]))",
            "{{result}}",
        ),
        Chart(
            "Seconds of a reconcile, p95",
            "histogram_quantile(0.95, sum by (le) (rate(skerry_reconcile_seconds_bucket"
            "[$__rate_interval])))",
            "p95",
            "s",
        ),
        Chart("Writes", "sum by (kind) (rate(skerry_writes_total[$__rate_interval]))", "{{kind}}"),
    ),
}


def render() -> str:
    """Return the dashboard as JSON, to import or to mount."""
    made = (
        board.Dashboard("Skerry")
        .uid("skerry")
        .description("An edge fleet's models: rollouts, devices, servers, gateways, the operator.")
        .tags(["skerry"])
        .time("now-1h", "now")
        .refresh("30s")
        .with_variable(board.DatasourceVariable("source").label("Source").type("prometheus"))
        .with_variable(_model())
    )
    for title, charts in ROWS.items():
        made = made.with_row(board.Row(title))
        for chart in charts:
            made = made.with_panel(_panel(chart))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _model() -> board.QueryVariable:
    return (
        board.QueryVariable("model")
        .label("Model")
        .datasource(SOURCE)
        .query("label_values(skerry_runtime_model_info, skerry_dev_model)")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .include_all(include_all=True)
        .all_value(".*")
    )


def _panel(chart: Chart) -> stat.Panel | timeseries.Panel:
    query = prometheus.Dataquery().expr(chart.query).legend_format(chart.legend).ref_id("A")
    panel: stat.Panel | timeseries.Panel
    if chart.now:
        panel = stat.Panel().graph_mode(BigValueGraphMode.NONE).span(NARROW)
        query = query.instant()
    else:
        legend = (
            VizLegendOptions().display_mode(LegendDisplayMode.LIST).show_legend(show_legend=True)
        )
        panel = timeseries.Panel().legend(legend).fill_opacity(FILL).span(WIDTH)
        query = query.range()
    panel.title(chart.title).datasource(SOURCE).unit(chart.unit).with_target(query)
    return panel.height(HEIGHT)
