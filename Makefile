# Every target makes and refreshes .venv by itself. The work is in scripts/, in Python;
# scripts/python finds the one to run it with.

.PHONY: help lab test check notebooks lock test-local test-gateway bench format
.DEFAULT_GOAL := help

help:  ## this list
	@sed -n 's/^\([a-z-]*\):  *## /\1#/p' Makefile | awk -F'#' '{ printf "make %-12s %s\n", $$1, $$2 }'

lab:  ## open JupyterLab; ARGS="--no-browser --port 8899" are passed on
	@scripts/python scripts/lab.py $(ARGS)

test:  ## all tests that need no root and no key, on each Python here (PYTHONS="3.12" narrows)
	@scripts/python scripts/run_tests.py $(ARGS)

check:  ## format, lint and types, as CI sees them
	@scripts/python scripts/environment.py dev
	@.venv/bin/ruff format --check
	@.venv/bin/ruff check
	@.venv/bin/basedpyright

format:  ## what `make check` asks for, done
	@scripts/python scripts/environment.py dev
	@.venv/bin/ruff format
	@.venv/bin/ruff check --fix

notebooks:  ## run the notebooks in place, on the sandbox
	@scripts/python scripts/environment.py dev
	@.venv/bin/python scripts/run_notebooks.py notebooks

lock:  ## renew constraints.txt
	@scripts/python scripts/environment.py dev
	@.venv/bin/python scripts/lock.py

test-local:  ## bring the small local model and test with it
	@scripts/python scripts/environment.py dev
	@.venv/bin/python scripts/local_model.py
	@.venv/bin/python -m pytest -q -m local_model --no-skips tests

test-gateway:  ## bring LiteLLM, Redis and the local model, and test with them
	@scripts/python scripts/environment.py dev
	@.venv/bin/python scripts/local_model.py
	@.venv/bin/python scripts/gateway.py
	@.venv/bin/python -m pytest -q -m gateway_live --no-skips $(ARGS) tests/gateway-live

bench:  ## print every benchmark's figures
	@scripts/python scripts/environment.py dev
	@for name in calls stream startup relay live; do .venv/bin/python "benchmarks/$$name.py" || exit 1; done
