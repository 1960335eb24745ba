# Everything is made in .venv, by bash, make and Python 3.11 or newer alone.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench simulate explore chaos docs services clean lint format types types-pyright floors unit

BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
# Tests must find this clone's own library and tools, whatever the caller's shell has set.
unexport PYTHONPATH PYTHONHOME
# pyright looks for a newer version of itself at every run, over the network; ours is pinned.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# `$(call timed,name) command` says how long the command took.
timed = @echo "== $(1)"; TIMEFORMAT='   $(1): %1R s'; time

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: .venv/library ## See a saga run, crash and undo (ARGS=… are passed on)
	@$(BIN)/python -m active_workflow demo $(ARGS)

test: .venv/dev ## Run every test, the slow ones too (ARGS=… go to pytest)
	@$(BIN)/python -m pytest $(ARGS)

check: lint format types types-pyright floors unit ## Lint, type-check and run the quick tests, in under two minutes

bench: .venv/dev ## Measure this library, ARGS=peers beside others (ARGS=--help tells the rest)
	@$(if $(wildcard bench/__main__.py),$(BIN)/python -m bench $(ARGS),echo "No benchmarks yet.")

# The seeds, of which one that fails does so each time; SEED=7 tells the whole story of that one.
SEEDS ?= 0:10000
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)

simulate: .venv/dev ## Run a simulated cluster under faults (SEEDS=0:10000, JOBS=2; SEED=7 tells one's story)
	@$(BIN)/python -m active_workflow.testing.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS) --jobs $(JOBS)) $(ARGS)

explore: .venv/dev ## Explore small clusters to the last state (ARGS="cancel", ARGS=--large)
	@$(BIN)/python -m active_workflow.testing.statespace $(ARGS)

chaos: .venv/dev ## Break workers and servers, ten minutes long (ARGS="--minutes 60 --store postgres --fault restart --seed 7")
	@$(BIN)/python -m tests.chaos $(ARGS)

docs: .venv/dev ## Run every page of the documentation, and check its links
	@$(BIN)/python -m pytest -q tests/test_docs.py tests/docs

# The servers that tests start for themselves and that pip doesn't bring: program=package of Debian. None of these
# packages starts a service.
SERVICES := mariadbd=mariadb-server-core mariadb-install-db=mariadb-server-core mariadb=mariadb-client-core

services: ## Install the servers that tests need (on Debian, as root; elsewhere say what is missing)
	@missing=; \
	for service in $(SERVICES); do \
	  PATH="$$PATH:/usr/sbin" command -v "$${service%%=*}" >/dev/null || missing+=" $${service#*=}"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	packages=$$(printf '%s\n' $$missing | sort -u); \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $$packages; \
	else \
	  echo "missing, and tests that need it will skip (Debian's names):" $$packages >&2; \
	fi

clean: ## Remove all that the other targets made, .venv included
	@rm -rf .venv .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The parts of `make check`; `make -k check` goes on after a failure.

lint: .venv/dev
	$(call timed,ruff check) $(BIN)/ruff check .

format: .venv/dev
	$(call timed,ruff format) $(BIN)/ruff format --check .

TYPED := src $(wildcard tests/typing)

types: .venv/dev
	$(call timed,mypy) $(BIN)/mypy $(TYPED)

types-pyright: .venv/dev
	$(call timed,pyright) $(BIN)/pyright $(TYPED)

floors: .venv/dev
	$(call timed,import-linter) $(BIN)/lint-imports --no-logo

# The law is covered to its last branch by its own tests; measuring that in the others would only slow them.
unit: .venv/dev
	$(call timed,tests of the law) $(BIN)/coverage run -m pytest -q tests/core $(ARGS)
	@$(BIN)/coverage report
	$(call timed,unit tests) $(BIN)/python -m pytest -q -m "not slow" --ignore=tests/core $(ARGS)

# The library alone is enough for a first look, and quickly there; everything else takes the tools as well.

.venv/library: pyproject.toml | $(BIN)/python
	@echo "Installing active-workflow into .venv …"
	@$(PIP) -e .
	@touch $@

.venv/dev: pyproject.toml | $(BIN)/python
	@echo "Installing active-workflow and its development tools into .venv …"
	@$(PIP) -e '.[dev]'
	@touch .venv/library $@

# The first Python that really runs (a version manager's stand-in may not), is new enough and can make a venv.
$(BIN)/python:
	@for python in python3 python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    exec "$$python" -m venv .venv; \
	  fi; \
	done; \
	echo "active-workflow needs Python 3.11 or newer, with its venv module (on Debian: python3-venv)." >&2; \
	echo "python3 here is: $$(python3 --version 2>&1 || true)" >&2; \
	exit 1
