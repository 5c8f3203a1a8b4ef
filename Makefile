# Everything a developer does, from a machine with git, make and python3 (with venv).

# uv must trust what the system trusts, and use the Python that is there.
export UV_SYSTEM_CERTS := 1
export UV_PYTHON_DOWNLOADS := never

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DISTRIBUTIONS := redun-core redun-value-file redun-value-handle redun-value-data redun-remote redun-executor-batch redun-executor-spark redun-backend-sql redun-viz redun-cli redun-observers redun-console
PROJECTS := pyproject.toml $(DISTRIBUTIONS:%=%/pyproject.toml)
INSTALL := $(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt $(DISTRIBUTIONS:%=-e ./%)

hello: $(VENV)/.installed ## Run the first example.
	$(BIN)/redun run examples/01_hello_world/hello_world.py main

test: $(VENV)/.developed ## Run the tests.
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

collect: $(VENV)/.developed
	$(BIN)/python -m pytest --collect-only -qq >/dev/null

check: lint types layers test ## Do everything that has to pass before a change lands.

lint: $(VENV)/.developed
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.developed
	$(BIN)/mypy $(DISTRIBUTIONS:%=%/src)

layers: $(VENV)/.developed
	$(BIN)/lint-imports

format: $(VENV)/.developed ## Format the code.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.developed ## Measure the cost of a task beside its floor.
	$(BIN)/python benchmarks/overhead.py

bench-queries: $(VENV)/.developed ## Measure what it takes to ask a database of a million jobs.
	$(BIN)/python benchmarks/big_database.py

constraints: $(VENV)/.developed ## Bring the pinned versions of dependencies up to date.
	$(BIN)/uv pip compile -q --universal --python-version 3.10 --no-header --no-annotate --no-emit-index-url \
	    --upgrade $(DISTRIBUTIONS:%=%/pyproject.toml) --group pyproject.toml:dev | grep -v '^-e' > constraints.new
	mv constraints.new constraints.txt

docs: $(VENV)/.developed ## Build the documentation, into build/site.
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

clean: ## Remove the environment and everything that was built.
	rm -rf $(VENV) .wheels build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

help: ## List the targets.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/bin/uv:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv

$(VENV)/.installed: $(VENV)/bin/uv constraints.txt $(PROJECTS)
	$(INSTALL)
	touch $@

# Spark comes as sources: pip keeps the wheel that it makes of them, uv would make one each time.
.wheels/.made: $(VENV)/bin/uv constraints.txt
	$(BIN)/python -m pip wheel -q --disable-pip-version-check --use-pep517 --no-deps -c constraints.txt -w .wheels pyspark
	touch $@

$(VENV)/.developed: $(VENV)/.installed .wheels/.made
	$(INSTALL) --find-links .wheels --group dev
	touch $@

.PHONY: hello test collect check lint types layers format bench bench-queries constraints docs clean help
