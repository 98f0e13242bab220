# Every target works on a fresh machine. `make` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

ROUTING ?= istio
VENV := .venv
PYTHON := $(VENV)/bin/python
# The system's Python if it is new enough: distributions build it with optimizations that pyenv leaves out, and every Pulumi
# command waits for `pip list` and for the program.
BASE_PYTHON ?= $(shell /usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
    && echo /usr/bin/python3 || echo python3)
IN_SANDBOX := . .sandbox/env &&
# Images of containers turn bytecode off; every start of the program, of the command and of pytest would compile all modules.
export PYTHONDONTWRITEBYTECODE :=
# The tests of a module share an environment, so one process runs them all.
PARALLEL := --numprocesses 5 --dist loadscope

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: sandbox ## Run one release under load (ROUTING=istio|selector, RATE=requests a second, default: measured)
	@$(IN_SANDBOX) python -m dev.demo --routing $(ROUTING) $(if $(RATE),--rate $(RATE))

.PHONY: test
test: ## Run check, unit and cluster-test
	@$(MAKE) --no-print-directory --jobs 2 --output-sync check unit
	@$(MAKE) --no-print-directory cluster-test

.PHONY: check
check: $(VENV)/ready ## Check format, lint, types and import contracts
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy .
	$(VENV)/bin/lint-imports

.PHONY: unit
unit: $(VENV)/ready ## Run the tests that need neither a cluster nor the Pulumi CLI
	$(PYTHON) -m pytest tests/unit --numprocesses auto

.PHONY: cluster-test
cluster-test: sandbox ## Run the tests that need the Pulumi CLI and a cluster (many minutes)
	@$(IN_SANDBOX) python -m pytest tests/engine tests/traffic -vv -m "not alone" $(PARALLEL)
	@$(IN_SANDBOX) python -m pytest tests/engine tests/traffic -m alone

.PHONY: bench
bench: sandbox ## Measure a release beside Argo Rollouts, Flagger, kubectl and bare Pulumi, and report (an hour)
	@$(IN_SANDBOX) python -m dev.bench run

.PHONY: bench-quick
bench-quick: sandbox ## Measure a switch beside a bare Pulumi program; fails if it takes too long (two minutes)
	@$(IN_SANDBOX) python -m dev.bench quick

.PHONY: sandbox
sandbox: $(VENV)/ready ## Start the sandbox: a one-node cluster with Istio (CONTEXT=name: use your own cluster instead)
	@$(PYTHON) -m dev.sandbox up

.PHONY: sandbox-down
sandbox-down: $(VENV)/ready ## Remove the sandbox and everything it has created on this machine
	@$(PYTHON) -m dev.sandbox down

.PHONY: format
format: $(VENV)/ready ## Format the code and fix what lint can fix
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

.PHONY: docs
docs: $(VENV)/ready ## Write the reference pages and the config section of Pulumi.yaml from the code
	$(PYTHON) -m dev.reference

.PHONY: lock
lock: $(VENV)/ready ## Write requirements*.txt, the pinned Python packages, from requirements*.in
	$(PYTHON) -m pip install --quiet uv
	for name in requirements requirements-dev; do \
	    $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	        --python-version 3.11 $$name.in -o $$name.txt; \
	done

$(VENV)/ready: requirements-dev.txt
	# --clear, because an environment of another Python version would remain in parts.
	$(BASE_PYTHON) -m venv --clear $(VENV)
	$(PYTHON) -m pip install --quiet --no-compile --require-hashes -r requirements-dev.txt
	# Compiled here, because a Python that may not write its bytecode would compile at every start.
	$(PYTHON) -m compileall -q -j 0 $(VENV)/lib bluegreen components >/dev/null || true
	ln -sf ../../bin/bluegreen $(VENV)/bin/bluegreen
	touch $@
