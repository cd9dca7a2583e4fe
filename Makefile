# `make demo` and `make test` are all you need at first. Each makes .venv on first use and installs only what it needs.
# The commands themselves are sessions of noxfile.py; here they run in .venv.
PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 8000
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
NOX    := $(BIN)/nox --no-venv --no-install --session

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo example test test-all integration check lint types docs screenshots format compat dist bench storm drill fuzz clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- what is installed: the package, then dependency groups of pyproject.toml, each when a target first needs it ------

$(VENV)/.package: pyproject.toml
	@echo "Installing the package and what the demo needs into $(VENV) (about 50 MB) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) uninstall --yes setuptools 2>/dev/null # Python 3.11 and older add it; nothing here needs it
	@$(PIP) install --no-compile --editable ".[crypto,sql]"
	@touch $@

$(VENV)/.nox: $(VENV)/.package
	@$(PIP) install --upgrade "pip>=25.1" nox
	@$(BIN)/python -m compileall -qq $(VENV)/lib || true # what --no-compile has left out: tests start many processes
	@touch $@

$(VENV)/.%: $(VENV)/.nox
	@echo "Installing the dependency group '$*' of pyproject.toml into $(VENV) ..."
	@$(PIP) install --group $*
	@touch $@

# --- what you can do --------------------------------------------------------------------------------------------------

demo: $(VENV)/.package  ## serve the demo on http://127.0.0.1:8000 (another port: PORT=8001)
	@$(BIN)/python demo/app.py --port $(PORT)

example: $(VENV)/.test  ## serve one of examples/: make example NAME=notes/app
	FLASK_JWT_SECRET_KEY=$${FLASK_JWT_SECRET_KEY:-$$($(BIN)/python -c 'import secrets; print(secrets.token_hex())')} \
	  $(BIN)/flask --app examples/$(NAME) run --port $(PORT)

test: $(VENV)/.test  ## run the tests that need no server and no browser; ARGS= goes to pytest
	$(NOX) tests -- $(ARGS)

integration: $(VENV)/.test $(VENV)/.server $(VENV)/.browser  ## run the other tests: servers, browsers, and the slow ones; ARGS= goes to pytest
	$(NOX) integration -- $(ARGS)

test-all: $(VENV)/.nox  ## run every test on every Python from 3.10 to 3.13 that is found
	$(BIN)/nox --session tests-all -- $(ARGS)

check: lint types docs  ## run lint, types and docs: what has to pass before a commit

lint: $(VENV)/.lint  ## check the format and the code with ruff
	$(NOX) lint

format: $(VENV)/.lint  ## format the code, and fix what ruff can fix
	$(NOX) format

types: $(VENV)/.types  ## check the types with mypy and pyright
	$(NOX) types

docs: $(VENV)/.test $(VENV)/.docs  ## build the documentation in docs/_build/html, and check its links
	$(NOX) docs

screenshots: $(VENV)/.test $(VENV)/.browser  ## take the pictures for the documentation again
	$(NOX) screenshots

compat: $(VENV)/.test  ## run the test suite of Flask-JWT-Extended 4.7.4 against this package
	$(NOX) compat

dist: $(VENV)/.nox  ## build the wheel twice and compare; test it with the oldest and the newest dependencies
	$(BIN)/nox --session dist

bench: $(VENV)/.test $(VENV)/.server  ## measure this package beside 4.7.4, PyJWT and joserfc; draw docs/bench.svg
	$(NOX) bench

storm: $(VENV)/.test $(VENV)/.server  ## race and kill every session store; print the table of docs/sessions.md
	$(NOX) storm

drill: $(VENV)/.test $(VENV)/.server  ## rotate and retire keys under load, with real workers
	$(NOX) drill

fuzz: $(VENV)/.nox  ## fuzz, guided by coverage: RUNS= inputs, SEED= of the random numbers
	$(BIN)/nox --session fuzz -- --runs $(or $(RUNS),100000) --seed $(or $(SEED),1)

clean:  ## delete everything that the other targets made
	rm -rf $(VENV) .nox bench/.peers bench/out build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis
