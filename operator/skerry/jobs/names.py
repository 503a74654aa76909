"""Folders, files and environment variables that both operator and images name.

Plain text without imports: the serving runtime reads it too.
"""

from __future__ import annotations

# Mounts of a job's pod.
SOURCE_DIRECTORY = "/source"
DATASET_DIRECTORY = "/dataset"
SCRATCH_DIRECTORY = "/scratch"
TEMPORARY_FOLDER = "tmp"
TEMPORARY_DIRECTORY = f"{SCRATCH_DIRECTORY}/{TEMPORARY_FOLDER}"
CREDENTIALS_DIRECTORY = "/credentials"
CLAIM_DIRECTORY = "/claim"
DOCKER_DIRECTORY = "/docker"
DOCKER_CONFIG_FILE = f"{DOCKER_DIRECTORY}/config.json"
TERMINATION_LOG = "/dev/termination-log"

# Other places for these: tests, and people who run a stage by hand, set them.
SOURCE_VARIABLE = "SKERRY_SOURCE_DIR"
DATASET_VARIABLE = "SKERRY_DATASET_DIR"
SCRATCH_VARIABLE = "SKERRY_SCRATCH_DIR"
CREDENTIALS_VARIABLE = "SKERRY_CREDENTIALS_DIR"
CLAIM_VARIABLE = "SKERRY_CLAIM_DIR"
TERMINATION_LOG_VARIABLE = "SKERRY_TERMINATION_LOG"

NODE_VARIABLE = "NODE_NAME"
"""The node that a job's pod runs on."""

FOUND_FOLDER = "found"
"""Below /scratch: there when an earlier job has done the work."""

# What lies with a certified model in its image.
SERVED_FILE = "skerry.json"
REPORT_FILE = "report.json"
BLOCKS_FILE = "blocks.json"

INPUT_PREFIX = "input."
OUTPUT_PREFIX = "output."
SHAPE_PREFIX = "shape."
"""Of the arrays of golden samples: the tensor's name follows."""
