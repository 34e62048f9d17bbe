# What a stranger types: `make demo` or `make test`. Each sets up .venv by itself, and is quick the second time.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input
# a file's tests stay together, because they share their sandboxes
SIDE_BY_SIDE ?= -n 2 --dist loadfile
.DEFAULT_GOAL := help
.PHONY: help setup demo sandbox test test-all lint format types walls bench pin clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# Setting up -----------------------------------------------------------------------------------------------------------

setup: .venv/.tested ## make .venv with everything in it

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and no python3 is here."; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Say another:  make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making .venv with $$($(PYTHON) -V)"
	@if "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then "$(PYTHON)" -m venv .venv; \
	elif "$(PYTHON)" -m virtualenv --version >/dev/null 2>&1; then "$(PYTHON)" -m virtualenv --quiet .venv; \
	elif "$(PYTHON)" -m pip --version >/dev/null 2>&1 && "$(PYTHON)" -m venv --without-pip .venv 2>/dev/null; then \
	  "$(PYTHON)" -m pip -qq --disable-pip-version-check --python .venv/bin/python install pip; \
	else rm -rf .venv; \
	  echo "This Python cannot make environments: its ensurepip is missing (Debian keeps it in a package of its own)."; \
	  echo "Mend it in one of these ways, then type make again:"; \
	  echo "  as root:           apt install python3-venv"; \
	  echo "  without root:      bring pip or virtualenv to $(PYTHON) in any way you have, or take"; \
	  echo "  another Python:    make PYTHON=/path/to/python3.11"; exit 1; fi

.venv/.runs: .venv/bin/python requirements/run.txt pyproject.toml
	@echo "Installing what Isthmus runs on (about a minute the first time)"
	@$(PIP) install -r requirements/run.txt
	@$(PIP) install --no-deps -e .
	@touch $@

.venv/.tested: .venv/.runs requirements/test.txt requirements/conformance.txt
	@echo "Installing what the tests need"
	@$(PIP) install -r requirements/test.txt -r requirements/conformance.txt
	@touch $@

# Watching -------------------------------------------------------------------------------------------------------------

demo: .venv/.runs ## four systems and Isthmus on this machine, 25 deals with faults, and the proof
	@$(BIN)/isthmus demo $(DEMO)

sandbox: .venv/.runs ## the four applications' stand-ins alone
	@$(BIN)/isthmus sandbox

# Testing --------------------------------------------------------------------------------------------------------------

test: .venv/.tested lint types walls ## lint, types, walls, and every test that is not long (under ten minutes)
	@$(BIN)/pytest -m "not long" $(SIDE_BY_SIDE) $(PYTEST)

test-all: .venv/.tested lint types walls ## everything, the long ones too (an hour at most)
	@$(BIN)/pytest $(SIDE_BY_SIDE) $(PYTEST)

lint: .venv/.tested
	@$(BIN)/ruff check --quiet --output-format concise .
	@$(BIN)/ruff format --quiet --check . || { echo "mend it with:  make format"; exit 1; }

types: .venv/.tested
	@$(BIN)/mypy --no-error-summary

walls: .venv/.tested
	@$(BIN)/lint-imports --no-logo > .venv/walls.txt || { cat .venv/walls.txt; exit 1; }

# Working on it --------------------------------------------------------------------------------------------------------

format: .venv/.tested ## put the code in order
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

bench: .venv/.tested ## measure Isthmus against an expert's script
	@$(BIN)/python -m benchmarks $(BENCH)

pin: .venv/.tested ## write requirements/*.txt from what is installed
	@$(BIN)/python requirements/pin.py

clean: ## take away what was made here
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist src/*.egg-info
