# Clickwright on one machine. `make` alone lists what there is.
# PYTHON: the interpreter that makes the environment (3.11). VENV: where the environment lies. WORKERS: processes that test.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# CONFIRM=yes: `make clean` does not ask.

# Where this is set, every process compiles the project's modules anew, and pytest its own: several seconds each.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.clickwright-installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
TESTS ?= tests
WORKERS ?= 2

.PHONY: help install demo up down status test test-quick test-slowest test-airflow test-browser test-cluster test-faults test-long test-security servers lint format types check bench bench-epochs bench-lists clean

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z-]*:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

install: $(STAMP) ## the environment in .venv, from requirements.lock

# `make .venv` is how people ask for it; the stamp is what decides whether there is anything to do.
.PHONY: $(VENV)
$(VENV): $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	  echo "error: Clickwright needs Python 3.11, and '$(PYTHON)' is not one; install it, or name it: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: '$(PYTHON)' cannot make virtual environments; install its venv module (Debian: python3.11-venv)" >&2; \
	  exit 1; }
	@echo "Installing into $(VENV) (about 3 GB; a few minutes the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --no-deps -r requirements.lock
	@# Only torch may bring more: where the pin resolves to the CUDA build, its CUDA libraries.
	@$(PIP) install --quiet -c requirements.lock "$$(grep '^torch==' requirements.lock)"
	@PYTHONWARNINGS=ignore $(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## the whole flow on MovieLens 100K, through Airflow's scheduler
	@$(BIN)/python -m local.demo $(DEMO)

up: $(STAMP) ## start Airflow and MLflow in the background, on this machine only
	@$(BIN)/python -m local.stack up

down: ## stop them
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local.stack down; else echo "Nothing to stop: no $(VENV) here."; fi

status: $(STAMP) ## what runs, and where
	@$(BIN)/python -m local.stack status

SERVERS_STAMP := .venv-servers/.clickwright-installed

$(SERVERS_STAMP): tests/faults/requirements.txt
	@$(PYTHON) -m venv .venv-servers
	@.venv-servers/bin/python -m pip --disable-pip-version-check install --quiet --no-deps -r $<
	@touch $@

servers: $(SERVERS_STAMP) ## PostgreSQL and an S3 store for the tests that start them, in .venv-servers

# Where a browser can neither be found nor fetched, the tests that need one fail and say so; the others run.
.PHONY: chromium
chromium: $(STAMP)
	@$(BIN)/python -m tests.chromium || echo "no Chromium: install your system's (Debian: apt install chromium)" >&2

test: $(STAMP) $(SERVERS_STAMP) chromium ## the tests but those of the targets below (make test TESTS=tests/jobs for a part)
	@$(BIN)/python -m pytest -n $(WORKERS) $(TESTS)

test-quick: $(STAMP) ## the tests that start nothing heavy
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not slow" $(TESTS)

test-slowest: $(STAMP) $(SERVERS_STAMP) chromium ## make test, with the 20 tests that take most processor time
	@$(BIN)/python -m pytest -n $(WORKERS) --cpu-times=20 $(TESTS)

test-airflow: $(STAMP) ## days through Airflow's own scheduler: late events, pausing, doing again
	@$(BIN)/python -m pytest -m airflow tests/local

test-browser: $(STAMP) $(SERVERS_STAMP) chromium ## Airflow and MLflow as people click them, on SQLite and PostgreSQL, and killed in the middle
	@$(BIN)/python -m pytest -m browser tests/browser

test-cluster: $(STAMP) ## jobs, a day of the workflow and recommending on a standalone Spark cluster, one of whose workers is killed
	@$(BIN)/python -m pytest -m cluster tests/jobs/test_cluster.py tests/local/test_cluster.py tests/ml/inference/test_shards.py

test-security: $(STAMP) ## the stack as users start it, attacked by another user of the machine (as root)
	@$(BIN)/python -m pytest -m security tests

test-long: $(STAMP) ## tests in which recipes learn for a minute, and of the packaged language model
	@$(BIN)/python -m pytest -m long tests/ml

test-faults: $(STAMP) $(SERVERS_STAMP) ## fifty kills, a flood of commits, full disks, lost catalogs, an object store, trainings that are cut off
	@$(BIN)/python -m pytest -m "faults or not faults" tests/faults tests/schemas/erasure tests/schemas/maintenance tests/jobs/test_any_order.py tests/jobs/test_hostile_lines.py

lint: $(STAMP) ## formatting and lint, without changing anything
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

format: $(STAMP) ## format, and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

types: $(STAMP) ## mypy, strict on schemas and ml
	@$(BIN)/mypy

check: lint types test ## lint, types, test

BENCH_STAMP := .venv-bench/.clickwright-installed

$(BENCH_STAMP): tests/benchmarks/requirements.txt
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip --disable-pip-version-check install --quiet --no-deps -r $<
	@touch $@

bench: $(STAMP) $(BENCH_STAMP) ## Clickwright and its peers on one job, measured (make bench BENCH="--events 1 --growth 1")
	@$(BIN)/python -m tests.benchmarks $(BENCH)

RECBOLE_STAMP := .venv-recbole/.clickwright-installed

$(RECBOLE_STAMP): tests/benchmarks/epochs/requirements.txt
	@$(PYTHON) -m venv .venv-recbole
	@.venv-recbole/bin/python -m pip --disable-pip-version-check install --quiet --no-deps -r $<
	@# As above: where torch's pin resolves to the CUDA build, its CUDA libraries.
	@.venv-recbole/bin/python -m pip --disable-pip-version-check install --quiet -c $< "$$(grep '^torch==' $<)"
	@touch $@

bench-epochs: $(STAMP) $(RECBOLE_STAMP) ## an epoch of training beside RecBole's SASRec (make bench-epochs SEQUENCES=Beauty.txt.gz)
	@$(BIN)/python -m tests.benchmarks.epochs --sequences $(SEQUENCES) $(BENCH)

LISTS_STAMP := .venv-bench-lists/.clickwright-installed

$(LISTS_STAMP): tests/benchmarks/lists/requirements.txt
	@$(PYTHON) -m venv .venv-bench-lists
	@.venv-bench-lists/bin/python -m pip --disable-pip-version-check install --quiet --no-deps -r $<
	@touch $@

bench-lists: $(STAMP) $(LISTS_STAMP) ## the best of 100,000 items for many users, beside PyTorch, implicit and faiss
	@$(BIN)/python -m tests.benchmarks.lists --peers .venv-bench-lists/bin/python $(BENCH)

# With var/secrets the pseudonym key is lost, and with var/erasures the list of erased persons: no landing zone brings them back.
clean: ## stop the services and remove var/: every row, model and log, the pseudonym key and the list of erased persons
	@if [ "$(CONFIRM)" != yes ]; then \
	  answer=; \
	  if [ -t 0 ]; then read -r -p "Remove var/ with the pseudonym key (var/secrets) and the erased persons (var/erasures)? Type yes: " answer; fi; \
	  if [ "$$answer" != yes ]; then \
	    echo "error: var/ was not removed; it holds var/secrets and var/erasures; back them up, then run: make clean CONFIRM=yes" >&2; exit 1; \
	  fi; \
	fi
	@$(MAKE) down
	rm -rf var
