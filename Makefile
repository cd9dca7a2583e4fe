# `make demo` and `make test` are all a newcomer needs; each makes .venv on first use.
PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 8000
BIN    := $(VENV)/bin

.PHONY: demo example test test-all check docs screenshots format compat dist bench storm drill fuzz clean

# One environment for the demo, the tests and the checks. It is made again when pyproject.toml changes.
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[crypto,async]" --group check
	touch $@

demo: $(VENV)/.ready  ## serve the demo on http://127.0.0.1:8000 (PORT= moves it)
	$(BIN)/python demo/app.py --port $(PORT)

example: $(VENV)/.ready  ## serve one of examples/, with a secret of its own: make example NAME=notes/app
	FLASK_JWT_SECRET_KEY=$${FLASK_JWT_SECRET_KEY:-$$($(BIN)/python -c 'import secrets; print(secrets.token_hex())')} \
	  $(BIN)/flask --app examples/$(NAME) run --port $(PORT)

screenshots: $(VENV)/.ready  ## take the pictures of the docs anew
	SCREENSHOTS=docs/_static $(BIN)/python -m pytest --quiet tests/browser -k pictures

docs: $(VENV)/.ready  ## build docs/_build/html; a warning is an error, and so is a link that leads nowhere
	$(BIN)/sphinx-build --fail-on-warning --keep-going --fresh-env --quiet docs docs/_build/html
	$(BIN)/python scripts/check_links.py docs/_build/html

test: $(VENV)/.ready  ## run the tests; arguments for pytest go into ARGS=
	$(BIN)/python -m pytest $(ARGS)

test-all:  ## run the tests on every interpreter of 3.10 to 3.13 found here
	scripts/each-python $(MAKE) test

check: $(VENV)/.ready docs  ## format, lint, types, documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python scripts/write_options.py --check

format: $(VENV)/.ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

compat: $(VENV)/.ready  ## run the test suite that Flask-JWT-Extended 4.7.4 was released with
	scripts/compat $(BIN)/python

dist: $(VENV)/.ready  ## build twice and compare; then try the wheel with the oldest dependencies and the newest
	scripts/dist $(BIN)/python

bench: $(VENV)/.ready  ## time this package beside 4.7.4, PyJWT, joserfc and the bare primitives, and draw docs/bench.svg
	$(BIN)/python bench/run.py --svg docs/bench.svg
	$(BIN)/python bench/oversized.py
	$(BIN)/python bench/keys.py
	$(BIN)/python bench/policy.py
	$(BIN)/python bench/imports.py
	$(BIN)/python bench/sessions.py

storm: $(VENV)/.ready  ## race and kill every store of sessions, and write the table of docs/sessions.md
	$(BIN)/python storm/run.py

drill: $(VENV)/.ready  ## rotate and retire keys under load, before real workers
	$(BIN)/python storm/rotation.py

fuzz: .venv-fuzz/.ready  ## fuzz by coverage; RUNS= inputs in all, SEED= where the random numbers begin
	.venv-fuzz/bin/python fuzz/run.py --runs $(or $(RUNS),100000) --seed $(or $(SEED),1)

# atheris is there for some interpreters only, so it has an environment of its own.
.venv-fuzz/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-fuzz
	.venv-fuzz/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv-fuzz/bin/python -m pip install --quiet --editable ".[crypto]" --group fuzz
	touch $@

clean:
	rm -rf $(VENV) .venv-* bench/.peers bench/out build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis
