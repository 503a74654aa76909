"""Skerry as a user installs it: images built and pushed, the chart put in with Helm."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from tests.lab.client.environment import ROOT, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.client.environment import Environment

NAMESPACE = "skerry-system"
INSTALL_TIMEOUT = "150s"
Values = dict[str, Any]
"""The chart's values that name the images, as `images/build.py --values` writes them."""


@contextmanager
def building_images() -> Iterator[None]:
    """Build images while the block runs; `build_and_push` finds them then, or reports what failed."""
    command = [sys.executable, "images/build.py"]
    with subprocess.Popen(command, cwd=ROOT, stdout=DEVNULL, stderr=DEVNULL) as build:
        try:
            yield
        except BaseException:
            build.terminate()
            raise


def build_and_push(environment: Environment) -> Values:
    """Build what changed, push it, and return the values that name it: `values["images"]["agent"]`."""
    insecure = ["--insecure"] if environment.insecure else []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "values.yaml"
        run(
            sys.executable,
            "images/build.py",
            "--push",
            environment.registry,
            *insecure,
            "--values",
            str(file),
        )
        values: Values = yaml.safe_load(file.read_text())
    return values


def install_chart(environment: Environment, built: Values, settings: dict[str, str]) -> None:
    """Run `helm upgrade --install`, then wait until the operator and both DaemonSets are ready.

    Args:
        environment: where.
        built: what `build_and_push` returned; the registry is named in it too.
        settings: values of the chart by their paths, as in `builds.maxConcurrent`.
    """
    # Only the nodes of the demonstration's own classes are touched.
    settings = {"defaultClasses.create": "false", **settings}
    flags = [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]
    environment.helm(
        "upgrade", "--install", "skerry", str(ROOT / "charts" / "skerry"),
        "--namespace", NAMESPACE, "--create-namespace", "--wait", "--timeout", INSTALL_TIMEOUT,
        "--values", "-", *flags, stdin=json.dumps(built),
    )  # fmt: skip


def push_folder(environment: Environment, folder: Path, reference: str) -> str:
    """Push a folder's files as an image; returns oci://HOST/REFERENCE."""
    insecure = ["--insecure"] if environment.insecure else []
    run(
        sys.executable,
        "examples/push.py",
        str(folder),
        f"{environment.registry}/{reference}",
        *insecure,
    )
    return f"oci://{environment.registry}/{reference}"
