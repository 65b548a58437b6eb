# Two commands: `make demo` runs the main job on a real year, `make test` runs the tests.
# Each prepares .venv first if that is needed. `make help` lists the rest.

VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
CANDIDATES := $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo test test-all test-peers lint format docs bench clean

help:
	@echo "make demo      the trade-off between cost and CO2 of a real house over a real year (2 to 4 minutes)"
	@echo "make test      the tests"
	@echo "make setup     only prepare $(VENV) with all that tests and examples need"
	@echo "make test-all  the tests with the slow ones"
	@echo "make test-peers  random systems beside PyPSA (in .venv-bench)"
	@echo "make lint      style and types"
	@echo "make docs      the site, from docs/ and the source, into site/"
	@echo "make bench     measure beside peers and write docs/benchmarks*.md (in .venv-bench)"

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.txt pyproject.toml
	@$(call make_venv,$(VENV),-r requirements.txt)
	@touch $@

# $(1) folder, $(2) what to install besides the project itself
define make_venv
python=""; for candidate in $(CANDIDATES); do \
	if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python=$$candidate; break; fi; done; \
if [ -z "$$python" ]; then \
	echo "EcoSystemiser needs Python 3.11 or newer, and $(firstword $(CANDIDATES)) is $$($(firstword $(CANDIDATES)) --version 2>&1 | tail -n 1): install one, or name it with make PYTHON=python3.11" >&2; exit 1; fi; \
echo "Preparing $(1) with $$($$python --version): installing packages takes about a minute"; \
{ [ -x $(1)/bin/python ] && $(1)/bin/python -m pip --version >/dev/null 2>&1; } || $$python -m venv --clear $(1) || exit 1; \
$(1)/bin/python -m pip install --quiet $(2) && $(1)/bin/python -m pip install --quiet --no-deps --editable . && echo "$(1) is ready"
endef

demo: setup
	@echo "The house of examples/house over the year 2019: 560 designs, each dispatched hour by hour"
	@$(BIN)/ecosystemiser run examples/house/study.yaml --results results/demo --workers $(WORKERS) --resume

test: setup
	@echo "Running the tests: a few minutes"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

test-all: setup
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "" --hypothesis-profile=default $(ARGS)

test-peers: .venv-bench/.ready
	@.venv-bench/bin/python -m pytest -m peers tests/peers $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv-bench/.ready
	@echo "Measuring beside peers: about a quarter of an hour; nothing else should run on this machine"
	@.venv-bench/bin/python -m benchmarks
	@.venv-bench/bin/python -m benchmarks.database
	@.venv-bench/bin/python -m benchmarks.community
	@if command -v chromium >/dev/null; then .venv-bench/bin/python -m benchmarks.dashboard; fi

.venv-bench/.ready: requirements.txt benchmarks/requirements.txt pyproject.toml
	@$(call make_venv,.venv-bench,-r requirements.txt -r benchmarks/requirements.txt)
	@touch $@

docs: setup
	@$(BIN)/python docs/make_components.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The site is in site/: open site/index.html, or, to search it too: $(BIN)/python -m http.server -d site"

clean:
	rm -rf $(VENV) .venv-bench site .mypy_cache .ruff_cache .pytest_cache .hypothesis
