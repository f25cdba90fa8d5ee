# FirstUser: `make demo` does the main job on the embedded stack; `make test` passes the tests.
# Needs Python 3.11 to 3.13 and make; everything else is installed into .venv from requirements.lock.

SHELL := /bin/sh
VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup browser load demo up down status test check crash bench bench-compare screenshots pictures lock lock-image clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Install the locked environment into .venv

$(READY): requirements.lock pyproject.toml
	@sh deployments/setup.sh "$(VENV)"
	@touch $@

browser: ## Install Debian's Chromium for the browser tests (as root)
	@sh deployments/debian.sh browser

load: ## Install Debian's wrk, the load generator of the API's benches (as root)
	@sh deployments/debian.sh load

demo: $(READY) ## Back up, break, restore and prove it on a scratch stack
	@$(BIN)/firstuser demo

up: $(READY) ## Start the stack and keep it running; prints addresses and logins
	@$(BIN)/firstuser up

down: $(READY) ## Stop the stack (state stays in var/)
	@$(BIN)/firstuser down

status: $(READY) ## Show what runs
	@$(BIN)/firstuser status

test: $(READY) browser load ## Lint, type-check and run every test
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m pytest -n 2 --dist loadgroup tests/stack tests

check: $(READY) ## ruff, import-linter, bandit, known vulnerabilities, leaked secrets and pyright
	@$(MAKE) --no-print-directory --jobs 3 --output-sync=target $(CHECKS)

CHECKS := check-types check-known check-code
.PHONY: $(CHECKS)

check-types:
	@$(BIN)/pyright

check-known:
	@$(BIN)/python -m deployments.audit

check-code:
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/bandit -q -r api flows deployments -c pyproject.toml
	@$(BIN)/python -m deployments.secret_scan

crash: $(READY) ## Kill every flow at every place it passes (half an hour)
	@CRASH_EVERY=1 $(BIN)/python -m pytest -s tests/crash/test_every_flow.py tests/crash/test_rotation_killed.py

bench: $(READY) load ## Measure against peers and limits; writes var/bench/ (JSON, a table, pictures)
	@$(BIN)/firstuser bench

bench-compare: $(READY) ## Show what has changed since BASE=<a latest.json from before>
	@$(BIN)/firstuser bench-compare "$(BASE)"

screenshots: $(READY) browser ## Write pictures of the pages into var/screenshots (needs a running stack)
	@$(BIN)/python -m tests.browser.screenshots

pictures: $(READY) browser ## Make the README's pictures anew (needs a running stack with a drill and a preflight)
	@$(BIN)/python -m tests.browser.pictures

LOCK := $(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 \
	--no-annotate --no-header --quiet
IMAGE := deployments/docker

lock: $(READY) ## Resolve requirements.lock anew from pyproject.toml, and the image's from it
	@$(LOCK) --group dev --upgrade --output-file requirements.lock
	@$(MAKE) --no-print-directory lock-image

lock-image: $(READY) ## The image's lock: the same versions, without what the image goes without
	@$(LOCK) --constraint requirements.lock --extra tracing --excludes $(IMAGE)/excluded.txt --output-file $(IMAGE)/requirements.lock

clean: ## Remove the environment (never var/)
	rm -rf $(VENV)
