# make run: set up and run the main job.  make test: set up and pass the tests.  make check: what CI checks besides.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
RUN_ARGS ?=
TEST_ARGS ?=
# Modules are compiled once, whatever the environment says, and not by each of the many processes that runs and tests start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check bench proto format clean

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"twm needs Python 3.11 or newer, found {v.major}.{v.minor}: set PYTHON=/path/to/python3.11")'
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing twm[run] (a minute or two)"
	@$(PIP) install -c constraints.txt -e '.[run]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing twm[test] (some minutes: it includes the training extra)"
	@$(PIP) install -c constraints.txt -e '.[test]'
	@touch $@ $(VENV)/.run

$(VENV)/.check: pyproject.toml constraints.txt | $(VENV)/.test
	@echo "installing twm[check]"
	@$(PIP) install -c constraints.txt -e '.[test,check]'
	@touch $@

run: $(VENV)/.run
	@$(BIN)/twm run $(RUN_ARGS)

# Without TEST_ARGS: what bears company on all cores at once, then what needs the machine to itself one after the other.
test: $(VENV)/.test
ifeq ($(strip $(TEST_ARGS)),)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not alone" tests/unit tests/contract tests/integration
	$(BIN)/python -m pytest -m alone $$(grep -l 'mark\.alone' tests/integration/*.py) tests/e2e tests/bench
else
	$(BIN)/python -m pytest $(TEST_ARGS)
endif

check: $(VENV)/.check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd proto && ../$(BIN)/buf lint
	$(BIN)/python proto/generate.py --check

bench: $(VENV)/.test
	$(BIN)/python -m pytest tests/bench -m bench -s $(TEST_ARGS)

proto: $(VENV)/.check
	$(BIN)/python proto/generate.py

format: $(VENV)/.check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
