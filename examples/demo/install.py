"""Skerry as a user installs it: images built and pushed, the chart put in with Helm."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from examples.demo.environment import ROOT, run

if TYPE_CHECKING:
    from pathlib import Path

    from examples.demo.environment import Environment

NAMESPACE = "skerry-system"
INSTALL_TIMEOUT = "150s"
# Image -> value of the chart.
IMAGES = {
    "operator": "images.operator",
    "agent": "images.agent",
    "gateway": "images.gateway",
    "fetcher": "images.fetcher",
    "optimizer-onnxruntime": "engines.OnnxRuntime.optimizerImage",
    "runtime-onnxruntime": "engines.OnnxRuntime.runtimeImage",
    "optimizer-openvino": "engines.OpenVino.optimizerImage",
    "runtime-openvino": "engines.OpenVino.runtimeImage",
}


def build_and_push(environment: Environment) -> dict[str, str]:
    """Build what changed, push it, and return image folder -> HOST/NAME@sha256:..."""
    insecure = ["--insecure"] if environment.insecure else []
    printed = run(
        sys.executable,
        "images/build.py",
        "--json",
        "--push",
        environment.registry,
        *insecure,
        *IMAGES,
    )
    return {built["name"]: built["reference"] for built in json.loads(printed)}


def install_chart(environment: Environment, images: dict[str, str], values: dict[str, str]) -> None:
    """`helm upgrade --install`, then wait until the operator and both DaemonSets are ready."""
    settings = {
        "registry.address": environment.registry,
        "registry.insecure": str(environment.insecure).lower(),
        # Only the nodes of the demonstration's own classes are touched.
        "defaultClasses.create": "false",
        **{value: images[name] for name, value in IMAGES.items()},
        **values,
    }
    flags = [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]
    environment.helm(
        "upgrade", "--install", "skerry", str(ROOT / "charts" / "skerry"),
        "--namespace", NAMESPACE, "--create-namespace", "--wait", "--timeout", INSTALL_TIMEOUT, *flags,
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
