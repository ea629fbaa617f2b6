# Each target is one command that sets up what it needs.
.DEFAULT_GOAL := help
SHELL := bash
VENV ?= .venv
export VENV
PY := $(VENV)/bin/python
NAME ?= startup

.PHONY: help demo test test-all test-vllm coverage lint types bench web web-check screenshots lock clean

help:  ## Say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo:  ## The example desk: plan, workers, documents, data, sandbox, approval, answer, trace
	@.ci/setup base
	@$(PY) examples/shop/demo.py

test:  ## Set up, lint, types, and the suite
	@.ci/setup dev
	@.ci/browser
	@$(MAKE) --no-print-directory lint types
	$(PY) -m pytest -n 2 --dist loadgroup -m "not long" -q

test-all:  ## What takes long: crashes, bare clones, batteries
	@.ci/setup dev
	$(PY) -m pytest -n 2 --dist loadgroup -m long -q

test-vllm:  ## A real vLLM on this machine's CPU, with a tiny model made here (gigabytes to install)
	@.ci/setup dev
	@.ci/vllm
	VLLM_PYTHON=$(or $(VLLM_PYTHON),$(CURDIR)/.venv-vllm/bin/python) $(PY) -m pytest tests/vllm -q

coverage:  ## The suite again, slower, with the lines that no test runs
	@.ci/setup dev
	@.ci/browser
	$(PY) -m pytest -n 2 --dist loadgroup -m "not long" --cov --cov-report=term:skip-covered -q

lint:
	@$(PY) -m ruff check . && $(PY) -m ruff format --check --quiet .

types:
	@$(PY) -m mypy

bench:  ## Measure: make bench NAME=startup
	@.ci/setup dev
	@$(PY) benchmarks/$(NAME).py

web:  ## Build the playground into src/segue/web (needs node)
	@cd playground && npm ci --no-audit --no-fund --silent && npm run --silent build

web-check:  ## See that what is committed is what the sources build to (needs node)
	@rm -rf src/segue/web
	@$(MAKE) --no-print-directory web
	@test -f src/segue/web/index.html
	@git diff --exit-code --stat -- src/segue/web
	@test -z "$$(git status --porcelain -- src/segue/web)" || { git status --short -- src/segue/web; exit 1; }

screenshots:  ## Take pictures of each page into docs/screenshots
	@.ci/setup dev
	@.ci/browser
	@$(PY) -m tests.web.screenshots

lock:  ## Compile requirements/ anew (needs uv)
	@.ci/lock

clean:  ## Remove what was set up and what runs left
	rm -rf $(VENV) .segue examples/shop/data .mypy_cache .ruff_cache .pytest_cache
