# Every target first brings .venv up to date (bootstrap.py), which costs almost nothing when it is.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup report test test-slow lint docs notebooks lock bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -e 's/:.*##/:/' -e 's/^/  make /'

setup:  ## make .venv or bring it up to date
	@$(PYTHON) bootstrap.py

report: setup  ## fit, compare and allocate on the shipped runs, into one HTML file
	@mkdir -p build
	@$(BIN)/bayescale report chinchilla --output build/chinchilla.html
	@echo "report: build/chinchilla.html"

test: setup  ## the quick tests
	@$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: setup  ## recovery of known parameters, published values, and the built wheel
	@$(BIN)/python -m pytest -n 2 -m slow

lint: setup  ## format, lint, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

docs: setup  ## build/docs/index.html, the documentation; every warning is an error
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -j auto -b html -d build/doctrees docs build/docs
	@echo "docs: build/docs/index.html"

notebooks: setup  ## run the notebooks from their sources; writes nothing
	@$(BIN)/python notebooks/run.py

lock: setup  ## resolve requirements.lock again, from the public package index
	@mkdir -p build
	@$(BIN)/uv pip compile pyproject.toml --group dev --all-extras --upgrade \
	    --universal --python-version 3.12 --generate-hashes --no-config \
	    --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	    --quiet --output-file build/requirements.lock
	@if grep -nE '://|/root|/home|/Users|/tmp' build/requirements.lock; then \
	    echo "lock: refused, the lines above name a host or a path" >&2; exit 1; fi
	@mv build/requirements.lock requirements.lock
	@echo "lock: requirements.lock is new; the next make installs it"

bench: setup  ## time the stages of an analysis
	@$(BIN)/python benchmarks/stages.py

clean:  ## remove what the targets made, .venv included
	@rm -rf .venv .venv.lock build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@rm -rf docs/api docs/command-line.md docs/laws docs/notebooks docs/references.md
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
