# `make` alone lists what can be done here. Everything happens in .venv, which is made on first use.

# Which Python makes .venv; empty: the first that runs and is new enough.
PYTHON ?=
# More arguments for pytest, such as PYTEST_ARGS='-k root --no-cov'.
PYTEST_ARGS ?=
# More arguments for `uv pip compile`, such as LOCK_ARGS=--upgrade.
LOCK_ARGS ?=

# Which 500 fault plans `make faults` draws.
FAULT_SEED ?= 1

BIN = .venv/bin

# Functional tests start the command hundreds of times. Where Python may keep no bytecode each start compiles pandas,
# boto3 and the rest anew: 4.2 seconds of CPU instead of 1.2.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL = help
.PHONY: help setup demo test lint test-wheel screenshots bench faults test-lowest checkers uv lock clean

help: ## list what can be done here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready ## make .venv with the locked versions, and see to the system libraries
	@tools/setup libraries

checkers:
	@tools/setup checkers

.venv/.locked: requirements.lock
	@PYTHON='$(PYTHON)' tools/setup environment
	@touch $@

.venv/.ready: .venv/.locked pyproject.toml
	@tools/setup orgproof
	@touch $@

demo: setup ## scan the simulated organization and say where the PDF and the workbook are
	@tools/demo

test: setup checkers ## run every test
	@$(BIN)/pytest -n auto --dist worksteal $(PYTEST_ARGS)

lint: setup ## run the house checks: ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-wheel: setup checkers ## run the functional tests against the built wheel, outside the checkout
	@tools/test-wheel $(PYTEST_ARGS)

screenshots: setup checkers ## make the README's pictures from a run of the demo
	@$(BIN)/python tools/screenshots.py

bench: setup checkers ## measure what a scan, judging and documents cost, in time and memory
	@$(BIN)/python tools/bench_scan.py
	@$(BIN)/python tools/bench_growth.py --plot docs/growth.svg
	@$(BIN)/python tools/bench_judgement.py
	@$(BIN)/python tools/bench_page.py
	@$(BIN)/python tools/bench_workbook.py
	@$(BIN)/python tools/bench_documents.py

faults: setup ## scan under 500 random fault plans (FAULT_SEED=N: other ones), and 5,000 accounts at once
	@rm -rf build/faults
	@PYTHONPATH=tests $(BIN)/python tests/fault_lab.py $(FAULT_SEED) 500 build/faults
	@PYTHONPATH=tests $(BIN)/python tests/crowd_run.py 5000 build/faults/crowd

test-lowest: setup checkers uv ## run every test with the oldest versions that pyproject.toml allows
	@tools/test-lowest $(PYTEST_ARGS)

# Only maintainers need it, and only for these two.
uv: .venv/.locked
	@$(BIN)/python -m pip install --quiet uv

lock: uv ## write requirements.lock anew from pyproject.toml (LOCK_ARGS=--upgrade: newer versions)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dask --extra ocsf --extra sign --group test --group build \
		--generate-hashes --no-emit-index-url --custom-compile-command 'make lock' \
		$(LOCK_ARGS) pyproject.toml --output-file requirements.lock

clean: ## remove .venv, build output and caches; runs in outputs/ stay
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	rm -f .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
