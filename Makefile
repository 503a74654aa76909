# The few commands that people run. `make demo` and `make test` need nothing installed beforehand but
# Python >= 3.11, root (or sudo) and the package registries.
SHELL := /bin/bash
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E env PATH=$$PATH)
PYTHON := .venv/bin/python

# Tests start hundreds of Pythons: without bytecode files each would compile Skerry again.
unexport PYTHONDONTWRITEBYTECODE

LANE ?= unit
REGISTRY ?=
REGISTRY_INSECURE ?=
VALUES ?= skerry-values.yaml
# An environment that has everything serves; else one for building images and the command line alone.
ENVIRONMENT = $(if $(wildcard .venv/.ready),.venv/.ready,.venv/.images)

.PHONY: help setup locks registry-named images demo demo-down test test-long profile-tests coverage unit lint goldens format crds chart docs protos

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

setup: .venv/.ready ## system packages, Go where it is too old, the Python environment

.venv/.ready: pyproject.toml requirements-dev.lock tests/lab/bootstrap.sh
	$(SUDO) tests/lab/bootstrap.sh
	touch $@

.venv/.images: pyproject.toml requirements-images.lock tests/lab/bootstrap.sh
	$(SUDO) tests/lab/bootstrap.sh images
	touch $@

locks: setup ## resolve what images and environments require, with hashes; UPGRADE=1 takes the newest versions
	$(PYTHON) images/locks.py $(if $(filter 1,$(UPGRADE)),--upgrade)

# First of the prerequisites: what is missing is reported before minutes of installing.
registry-named:
	@[ -n "$(REGISTRY)" ] || { echo "say where to: make images REGISTRY=HOST[:PORT]" >&2; exit 1; }

images: registry-named $(ENVIRONMENT) ## build Skerry's images, push them to REGISTRY=HOST[:PORT], write the chart's values
	$(SUDO) $(PYTHON) images/build.py --push $(REGISTRY) $(if $(filter 1,$(REGISTRY_INSECURE)),--insecure) \
		--values $(VALUES)
	@echo "helm install skerry charts/skerry --namespace skerry-system --create-namespace --values $(VALUES)"

demo: setup ## the lab, Skerry, and one model through its whole life
	$(SUDO) $(PYTHON) -m examples.demo up

demo-down: ## clear the demonstration away
	$(SUDO) $(PYTHON) -m examples.demo down

test: setup lint ## all tests, on labs of their own
	$(SUDO) $(PYTHON) images/build.py > /dev/null 2>&1 & $(SUDO) $(PYTHON) -m tests.lab binaries > /dev/null && wait
	$(SUDO) $(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 10 tests/unit engines
	$(SUDO) $(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 30 \
		tests/e2e tests/device tests/jobs tests/examples tests/cluster tests/sources

unit: setup ## the tests that need no cluster
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 5 tests/unit engines

test-long: setup ## the unit tests at full size: each simulated soak by the guard itself, all examples, ten thousand random models, twenty times the examples of properties
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 10 -m long tests/unit tests/jobs tests/examples engines
	$(SUDO) $(PYTHON) -m pytest -m long tests/e2e
	$(PYTHON) -m pytest --hypothesis-profile=explore --timeout 3600 tests/unit/decide tests/unit/api

profile-tests: setup ## where the time of LANE=unit|sources|cluster|device|e2e goes: waiting, CPU, throttled
	$(SUDO) $(PYTHON) -m tests.profile $(LANE) $(if $(filter unit,$(LANE)),-n 2 --dist loadfile)

coverage: setup ## which lines and branches the unit tests run
	@mkdir -p build/coverage
	$(PYTHON) -m pytest -n 2 --dist loadfile -q --cov --cov-report term --timeout 120 tests/unit engines

lint: setup ## style, types, import contracts, generated files
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PYTHON) -m skerry.api.crd --check crds charts/skerry/crds
	$(PYTHON) -m charts.tools --check
	$(PYTHON) -m docs.tools --check

goldens: setup ## rewrite the objects of tests/unit/render/cases
	UPDATE_GOLDENS=1 $(PYTHON) -m pytest -q tests/unit/render/test_goldens.py

format: setup ## format and mend what can be mended
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

crds: setup ## generate crds/ and the chart's copy from the API models
	$(PYTHON) -m skerry.api.crd crds charts/skerry/crds

chart: setup ## generate the chart's README and Grafana board
	$(PYTHON) -m charts.tools

docs: setup ## generate the reference and the pictures of docs/
	$(PYTHON) -m docs.tools

protos: setup ## generate the messages of the protocol's gRPC form
	cd images/runtime && ../../$(PYTHON) -m grpc_tools.protoc -I. --python_out=. --pyi_out=. \
		skerry_runtime/open_inference.proto
