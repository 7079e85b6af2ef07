# make up       a cluster in the background, on port 8000; installs what is missing into .venv first
# make down     stop it                      make status   what runs
# make test     all tests, a real Apache Kafka included
# make check    format, lint, types, import rules, fast tests: no broker, two minutes on two cores
# make simulate SEEDS=1000                   make bench     beside bare Kafka and peers

SHELL := /bin/bash
BIN := .venv/bin
INSTALLED := .venv/.installed
SEEDS ?= 1000
CODE := services tests bench
FAST := not broker and not containers and not slow
# All of their tests are slow, and collecting them takes as long as running a hundred fast ones.
SLOW := tests/conformance tests/containers

.PHONY: install up down status test check lint types fast-tests simulate bench
.DEFAULT_GOAL := check

install: $(INSTALLED)

# Again only when the dependencies change: the package itself is installed in place.
$(INSTALLED): pyproject.toml
	@set -euo pipefail; \
	if command -v uv >/dev/null 2>&1; then \
	  [ -x $(BIN)/python ] || uv venv --quiet --python '>=3.11' .venv; \
	  uv pip install --quiet --python $(BIN)/python -e '.[local,migrate,dev]'; \
	else \
	  if [ ! -x $(BIN)/pip ]; then \
	    for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	      $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
	    done; \
	    [ -n "$$python" ] || { echo "Dynabus needs Python 3.11 or newer: install it, or uv" >&2; exit 1; }; \
	    $$python -m venv .venv || { rm -rf .venv; echo "Python's venv is missing: apt install python3-venv, or install uv" >&2; exit 1; }; \
	  fi; \
	  echo "installing into .venv (once)"; \
	  $(BIN)/pip install --quiet --disable-pip-version-check -e '.[local,migrate,dev]'; \
	fi; \
	touch $(INSTALLED)

up: install
	@$(BIN)/dynabus up --detach

down: install
	@$(BIN)/dynabus down

status: install
	@$(BIN)/dynabus status

# What needs no broker on as many cores as there are; clusters two at a time, since they wait more than they work; what
# measures, and containers, one by one.
test: install
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n auto --dist worksteal -m "not broker and not containers"
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "broker and not alone and not containers"
	$(BIN)/pytest -m "alone or containers"

# Types beside tests, and the tests on as many cores as there are: nothing in them is shared.
check: lint
	@$(MAKE) --no-print-directory -j2 types fast-tests

lint: install
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/lint-imports

types: install
	$(BIN)/mypy

# Bytecode is kept whatever the environment says: to compile test modules anew is half of their collection.
fast-tests: install
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n auto --dist worksteal -m "$(FAST)" $(addprefix --ignore=,$(SLOW))

simulate: install
	$(BIN)/python -m tests.simulation.run --seeds $(SEEDS)

bench: install
	$(BIN)/python -m bench $(BENCH)
