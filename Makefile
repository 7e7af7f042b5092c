.DEFAULT_GOAL := help
.PHONY: help demo test lint lock dist audit clean
.NOTPARALLEL:

PYTHON ?= python3
export PYTHON

help: ## show this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

demo: ## a simulated workshop, a broker and the agent, as a live table (SECONDS=20 ends by itself)
	@scripts/bootstrap demo
	@exec .venv/bin/edge-agent demo $(if $(SECONDS),--seconds $(SECONDS))

test: lint ## lint, then all tests; brings what they need (mosquitto, libmodbus, a browser, a font, ...)
	@scripts/debian-tools
	@. scripts/env.sh && exec .venv/bin/pytest -n 2 --dist loadfile

lint: ## ruff, mypy strict and the import rules
	@scripts/bootstrap test
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

lock: ## pin the requirements again after a change in pyproject.toml or requirements/*.in
	@scripts/bootstrap test
	scripts/lock

dist: ## a release, in dist/: wheel, Debian packages, offline bundles, list of contents, checksums
	@scripts/bootstrap demo
	@scripts/dist

audit: ## known vulnerabilities of the pinned libraries; asks the advisory database on the internet
	@scripts/audit

clean: ## remove the environment, unpacked tools, caches and releases
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
