"""Plans of all EdgeModels in the files, offline or with what a cluster adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.cli.plan import show
from skerry.cli.plan.cluster import look
from skerry.cli.plan.source import UNREAD, read_local, remembered

if TYPE_CHECKING:
    from pathlib import Path

    from skerry.api.config import OperatorConfig
    from skerry.cli.connection import Connection
    from skerry.cli.plan.files import Manifests
    from skerry.cli.plan.show import Plan


def offline_plans(
    manifests: Manifests, file: Path | None, config: OperatorConfig | None
) -> list[Plan]:
    """Return the plans that the files alone allow.

    Raises:
        CliError: `file` can't be read.
    """
    assessment = read_local(file) if file else UNREAD
    return [
        show.plan(
            model, assessment, manifests.classes, config, None, in_cluster=False, all_classes=False
        )
        for model in manifests.models
    ]


async def make(
    connection: Connection, manifests: Manifests, file: Path | None, config: OperatorConfig | None
) -> list[Plan]:
    """Return the plans from the files and from the state of the cluster.

    Raises:
        SkerryError: the API server refuses a manifest or is not reached, or `file` can't be read.
    """
    found = await look(connection, manifests)
    local = read_local(file) if file else None
    plans = [show.Plan(f"[yellow]note:[/] {note}") for note in found.notes]
    classes = {**(found.classes or {}), **manifests.classes}
    listed = found.classes is not None
    for model in manifests.models:
        live = found.live.get(model.metadata.name)
        assessment = local or remembered(model, live) or UNREAD
        plans.append(
            show.plan(
                model,
                assessment,
                classes,
                config or found.config,
                live,
                in_cluster=True,
                all_classes=listed,
            )
        )
    return plans
