# Clickwright on one machine. `make` alone lists what there is, and the variables.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)#: the interpreter that makes the environment: 3.11
VENV ?= .venv#: the folder of the environment
TORCH_INDEX ?=#: make install: an index whose build of PyTorch is wanted, such as PyTorch's own for processors alone
SEQUENCES ?=#: make bench-epochs: a file of sequences
WORKERS ?= 2#: make test, make check: processes that test
TESTS ?= tests#: make test, make test-quick: the part of the tests to run
DEMO ?=#: make demo: options, listed by python -m local.demo --help
BENCH ?=#: the targets that measure: options, listed by python -m tests.benchmarks --help
CONFIRM ?=#: make clean: yes, to be asked nothing

# Where this is set, every process compiles the project's modules anew, and pytest its own: several seconds each.
unexport PYTHONDONTWRITEBYTECODE
BIN := $(VENV)/bin
SITE := $(VENV)/lib/python3.11/site-packages
STAMP := $(VENV)/.clickwright-installed
TOOLS := $(VENV)/.clickwright-tools
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Hashes of all files are compared, and nothing is resolved: the locks are complete.
INSTALL := install --no-deps --require-hashes --no-compile
# Works without the environment, on any Python 3.
DOCTOR := "$$(command -v python3 || echo "$(PYTHON)")" local/machine/doctor.py --python "$(PYTHON)" --venv "$(VENV)"

.PHONY: help doctor install tools demo demo-full up down status test test-quick test-slowest test-airflow test-browser test-cluster test-faults test-long test-security servers lint format types check bench bench-epochs bench-lists lock clean

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z][a-z-]*:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile
	@printf '\nVariables, as in make test WORKERS=4\n'
	@sed -nE 's/^([A-Z_]+) \?=.*#: (.*)/\1|\2/p' Makefile | awk -F'|' '{printf "  %-18s %s\n", $$1, $$2}'

##@ Start here

doctor: ## list the parts that this machine lacks, before anything starts
	@$(DOCTOR)

install: $(STAMP) ## the environment in .venv, from requirements.lock and requirements-torch.lock

# `make .venv` is how people ask for it; the stamp is what decides whether there is anything to do.
.PHONY: $(VENV)
$(VENV): $(STAMP)

# Removed at the end, 0.3 GB: programs that test the packages themselves, which nothing imports; and where PyTorch is the build for
# processors alone the headers of its C++ library, which only a network that is compiled needs (ml compiles on CUDA only).
$(STAMP): requirements.lock requirements-torch.lock pyproject.toml
	@$(DOCTOR) --before install
	@echo "Installing into $(VENV) (2.5 GB; one or two minutes the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) $(INSTALL) -r <(sed -n '/^setuptools==/,/[^\]$$/p' requirements.lock)
	@$(MAKE) -j2 .packages .large-packages
	@PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation --no-compile --editable .
	@find $(SITE)/{torch,numpy,scipy,pandas,sklearn,sympy,networkx,matplotlib,pyarrow} -type d \( -name tests -o -path '*/torch/test' \) -prune -exec rm -rf {} +
	@rm -rf $(SITE)/torch/bin/{test_*,*Test,protoc*} $$(test -d $(SITE)/torch-*+cpu.dist-info && echo $(SITE)/torch/include)
	@$(BIN)/python -m local.machine.byte_code >/dev/null
	@touch $@

# Two installers at a time: one waits for the index while the other unpacks. PySpark comes as a source alone; its archive of
# jars is not compressed again on the way. setuptools, which builds it, is the one of the lock.
.PHONY: .packages .large-packages .torch
.packages:
	@$(PIP) $(INSTALL) -r <(sed '/^pyspark==/,/[^\]$$/d' requirements.lock)

.large-packages: .torch
	@$(PIP) $(INSTALL) --no-build-isolation --use-pep517 --config-settings=--build-option=--compression=stored -r <(sed -n '/^pyspark==/,/[^\]$$/p' requirements.lock)

# The machine decides which build is right, so it is fetched by its version alone, and then compared with the hashes of all builds.
# Only the CUDA build needs more, its CUDA libraries, of which no hash is known.
.torch:
	@files=$$(mktemp -d -p $(VENV)); trap 'rm -rf $$files' EXIT; pin=$$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements-torch.lock); \
	  $(PIP) download --no-deps $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --dest $$files "$$pin"; \
	  $(PIP) $(INSTALL) --no-index --find-links $$files -r requirements-torch.lock
	@if grep -q '^Requires-Dist: nvidia' $(SITE)/torch-*.dist-info/METADATA; then \
	  $(PIP) install -c <(sed -n 's/^\([^ #]*==[^ ]*\).*/\1/p' requirements.lock requirements-torch.lock) torch; \
	fi

tools: $(TOOLS) ## the packages of tests, lint and types; their targets install them by themselves

$(TOOLS): requirements-tools.lock $(STAMP)
	@$(PIP) $(INSTALL) -r requirements-tools.lock
	@touch $@

# Before the prerequisites of the targets themselves: a machine that cannot run the stack should say so first.
demo demo-full up: ready
.PHONY: ready
ready:
	@$(DOCTOR) --before run

demo: $(STAMP) ## the whole flow in minutes: films and a small shop, two days, through Airflow's scheduler
	@$(BIN)/python -m local.demo $(DEMO)

demo-full: $(STAMP) ## the same with seven days and thorough tuning; it continues the short one
	@$(BIN)/python -m local.demo --full $(DEMO)

##@ Run

up: $(STAMP) ## start Airflow and MLflow in the background, on this machine only
	@$(BIN)/python -m local.stack up

down: ## stop them
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local.stack down; else echo "Nothing to stop: no $(VENV) here."; fi

status: $(STAMP) ## list the services and their addresses; it fails if one is down
	@$(BIN)/python -m local.stack status

##@ Test

# Lines of their own, so that a target below names only its other needs.
test test-quick test-airflow test-browser test-cluster test-security test-long test-faults: $(TOOLS)
lint format types bench bench-epochs bench-lists chromium: $(TOOLS)

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

test-long: $(STAMP) ## tests in which recipes learn for a minute, of the packaged language model, and the tutorial word by word
	@$(BIN)/python -m pytest -m long tests/ml tests/test_tutorial.py

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

##@ Measure

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
	@.venv-recbole/bin/python -m pip --disable-pip-version-check install --quiet --no-deps -r <(sed '/^torch==/,/[^\]$$/d' $<)
	@# As above: the build of PyTorch that is right for the machine, and for the CUDA build its libraries.
	@.venv-recbole/bin/python -m pip --disable-pip-version-check install --quiet -c <(sed -n 's/^\([^ #]*==[^ ]*\).*/\1/p' $<) torch
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

##@ Maintain

LOCKS := requirements.lock requirements-torch.lock requirements-tools.lock $(wildcard tests/*/requirements.txt tests/*/*/requirements.txt) .ci/requirements.txt
LOCK_STAMP := .venv-lock/.clickwright-installed

$(LOCK_STAMP): .ci/requirements.txt
	@$(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip --disable-pip-version-check install --quiet --no-deps -r $<
	@touch $@

lock: $(LOCK_STAMP) ## the hashes of all pinned packages, after a version was changed
	@.venv-lock/bin/python .ci/lock.py --uv .venv-lock/bin/uv $(LOCKS)

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
