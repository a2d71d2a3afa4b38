# One name for each thing, the same here and in CI. `make` alone lists them.

# A virtual environment for each version: .venv for 3.11 or whatever is found, .venv-3.13 for
# `make test PYTHON=python3.13` (a path, or a name in PATH or among the versions of pyenv).
PYTHON ?=
ifeq ($(strip $(PYTHON)),)
VENV  := .venv
else
VERSION := $(firstword $(shell ./scripts/find_python.sh "$(PYTHON)"))
$(if $(VERSION),,$(error PYTHON=$(PYTHON) is no Python 3.11 or newer: name another, or none))
VENV  := .venv$(if $(filter-out 3.11,$(VERSION)),-$(VERSION))
endif
BIN   := $(VENV)/bin
READY := $(VENV)/.ready
JOBS  ?= 2
ARGS  ?=
PAPER ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-all smoke lint types layers unit explore format soak soak-paper soak-rehearsal soak-protocol bench bench-gate lock audit clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: $(READY)  ## make the virtual environment from the lock (every target does so by itself)

$(READY): requirements/dev.lock pyproject.toml scripts/setup.sh scripts/check_pth.py
	@./scripts/setup.sh $(VENV)
	@touch $@

demo: $(READY)  ## the whole story: candles, models, backtest, run, report (ARGS="--data PATH")
	@$(BIN)/ares demo $(ARGS) </dev/null

test: lint types layers unit  ## lint, types, layers and tests

test-all: lint types layers  ## the same with the slow tests: what CI runs
	$(BIN)/pytest -n $(JOBS) --dist worksteal $(ARGS)

smoke: $(READY)  ## minutes: imports, hashes, a synthetic market, the quick tests (PYTHON=python3.13)
	./scripts/smoke.sh $(VENV) .venv
	$(BIN)/pytest -n $(JOBS) --dist worksteal tests/domain tests/core tests/kernel tests/golden

lint: $(READY)  ## ruff: style and formatting; the names that are allowed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python scripts/check_names.py

types: $(READY)  ## mypy --strict
	$(BIN)/mypy

layers: $(READY)  ## import-linter: arrows only point down
	$(BIN)/lint-imports

unit: $(READY)  ## the tests alone, without the slow ones (ARGS="tests/kernel -k name")
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m "not slow" $(ARGS)

explore: $(READY)  ## the property tests on examples drawn anew (ARGS="tests/adapters")
	ARES_EXAMPLES=explore $(BIN)/pytest -n $(JOBS) --dist worksteal -m hypothesis $(ARGS)

format: $(READY)  ## put the sources into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

soak: $(READY) soak-paper  ## soak-paper, then worlds that attack the engine for an hour; taken up where left (ARGS="--minutes 5")
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m tests.sim.soak $(ARGS)

soak-rehearsal: $(READY)  ## real processes over a venue's protocol, faults and kills (ARGS="--venue binance --minutes 10")
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m tests.sim.rehearsal.attack $(ARGS)

soak-protocol: $(READY)  ## worlds over a venue's protocol bytes, in virtual time; taken up where left (ARGS="--minutes 5")
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m tests.sim.protocol.soak $(ARGS)

soak-up: $(READY)  ## 200 SIGKILLs of any process of `ares up` on a venue server (ARGS="--kills 20 --minutes 10")
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m tests.sim.rehearsal.up_kills $(ARGS)

soak-paper: $(READY)  ## paper: 200 kills, a month in process, a week over sockets (PAPER="--kills 20 --days 3 --week 0")
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m tests.sim.paper.soak $(PAPER)

bench: $(READY)  ## the benchmarks, peers side by side (minutes; makes .bench)
	venv=$(VENV); . ./scripts/index.sh; $(BIN)/python -m bench.run $(ARGS)

bench-gate: $(READY)  ## what the gate lets through and finds (hours; taken up where it was left)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -W ignore -m bench.gate_run $(ARGS)

lock: $(READY)  ## make the locks again from pyproject.toml (ARGS=--upgrade: to releases 14 days old)
	@./scripts/lock.sh $(VENV) $(ARGS)

audit: $(READY)  ## known vulnerabilities of the lock; a CycloneDX SBOM in dist/sbom.json
	@$(BIN)/python scripts/audit.py dist/sbom.json

clean:  ## remove everything that was made: .venv*, .bench, caches
	rm -rf .venv .venv-3.* .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
