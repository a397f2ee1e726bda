# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Not the RIG_HOME of the environment: that one is somebody's own, and `make demo-stop` removes this one.
export RIG_HOME := $(CURDIR)/.rig

.PHONY: demo demo-stop test long lint docs bench clean help

help:
	@echo "make demo       install rig, start a Max node, deploy an example, fetch its page"
	@echo "make demo-stop  stop that node and remove what it kept (.rig)"
	@echo "make test       every check and every test"
	@echo "make long       hundreds of random kills, flipped bits and truncations, thousands of examples"
	@echo "make bench      the benchmarks of docs/performance.md"
	@echo "make docs       write the generated parts of the docs anew"

demo: $(VENV)/.node
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python docs/examples/demo.py

demo-stop: $(VENV)/.node
	@$(BIN)/rig node stop
	@rm -rf "$(RIG_HOME)"

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term:skip-covered --cov-fail-under=90

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

long: $(VENV)/.dev
	RIG_KILLS=200 $(BIN)/python -m pytest --timeout 7200 tests/kills/test_random_kills.py
	RIG_DAMAGE=300 $(BIN)/python -m pytest --timeout 7200 tests/storage/test_damage.py
	$(BIN)/python -m pytest --timeout 7200 --hypothesis-profile search -m hypothesis

docs: $(VENV)/.dev
	$(BIN)/python -m tests.docs.generate

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "rig needs Python 3.11 or newer; say which: make PYTHON=python3.12 demo"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "The venv module is missing; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.node: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[node]'
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.node | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@
