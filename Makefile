# Two commands: `make run` and `make test`. Both install what they need into .venv.
ifndef PYTHON
PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
endif
BIN := .venv/bin
STAMP := .venv/.installed
# Set, it makes each process compile all that it imports, which takes longer than everything else at its start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install run test check format bench lock schema clean

help:  ## Show this
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

install: $(STAMP)  ## Make .venv with the locked dependencies

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Onhand needs Python 3.11 or newer: install it, or say make PYTHON=/path/to/python3."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install its venv package."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: install  ## Start the demo company and serve it
	$(BIN)/onhand up

test: install  ## Run every test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: install  ## Format, lint, types, import rules, and the house tests: SDL and migration drift, rights, sizes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/onhand schema print | diff - graphql/schema.graphql
	$(BIN)/python -m pytest -q tests/house

format: install  ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: install  ## Write the SDL anew
	$(BIN)/onhand schema print > graphql/schema.graphql

bench: install  ## Run the benchmarks
	$(BIN)/python -m tests.bench

lock: install  ## Resolve the lock anew
	$(BIN)/uv pip compile --universal --python-version 3.11 --extra dev --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --quiet --upgrade pyproject.toml -o requirements.lock

clean:  ## Take away .venv and caches; data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
