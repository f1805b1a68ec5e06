# `make demo` and `make test` do all their set-up by themselves: Python 3.11+ and make are enough.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DEMO   ?= full
ARGS   ?=
# One thread a process: the tests and the demo use the cores by running processes side by side.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false
# A process uses its memory again instead of handing it back after each training step (glibc; elsewhere without effect).
export MALLOC_MMAP_THRESHOLD_ ?= 33554432
export MALLOC_TRIM_THRESHOLD_ ?= 1073741824
export HF_HUB_DISABLE_TELEMETRY ?= 1

.PHONY: help demo test test-full lint format typecheck bench bench-curation docs clean
.DEFAULT_GOAL := help

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(STAMP): pyproject.toml constraints.txt $(wildcard packages/*/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1,<26'
	$(BIN)/python -m pip install --quiet -c constraints.txt --group dev \
	  -e 'packages/offside-data[annotation,pdf,vlm]' -e 'packages/offside-unlearn[sweep]' -e 'packages/offside-eval[judge]'
	@touch $@

demo: $(STAMP)  ## The whole story on a laptop (DEMO=quick for a short one, ARGS=--fresh to start over)
	$(BIN)/python tools/demo.py --size $(DEMO) $(ARGS)

test: $(STAMP)  ## What a contributor runs: all fast tests and the quick demo
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not full" $(ARGS)

test-full: $(STAMP)  ## Every method on every family, wheels, browser, full sizes, kill tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -v -m full $(ARGS)

lint: $(STAMP)  ## Style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) typecheck

format: $(STAMP)  ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

typecheck: $(STAMP)  ## mypy --strict over the three packages and the tools
	$(BIN)/mypy packages/*/src tools

bench: $(STAMP)  ## Print the figures of docs/performance.md
	$(BIN)/python tools/bench/run.py $(ARGS)

bench-curation: $(STAMP)  ## What the curation commands cost at scale (ARGS='--sizes 10k,100k,1M')
	$(BIN)/python tools/bench/curation.py $(ARGS)

docs: $(STAMP)  ## Build the site into site/, strictly: guides, command-line and API reference, tutorials
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:  ## Remove the environment, caches and the demo's output
	rm -rf $(VENV) demo-out site dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
