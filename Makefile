# Every target sets up what it needs; `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.venv/run.stamp: requirements/run.txt pyproject.toml
	@echo "setup: .venv (core and webhook)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
	  { echo "needs the Debian package python3-venv: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements/dev.txt
	@echo "setup: .venv (development)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

.PHONY: setup
setup: .venv/dev.stamp ## make .venv/ with everything but the Go programs

.PHONY: tools
tools: ## build the real control plane and cosign, once per machine (needs Go; 15 minutes cold)
	@$(PYTHON) -m tests.cluster.tools

.PHONY: demo
demo: .venv/run.stamp ## see the gate do its job: no cluster, no Go, no network
	@$(BIN)/python -m examples.demo

.PHONY: demo-clusters
demo-clusters: setup tools ## see three real clusters promote a service (the Go programs come first)
	@$(BIN)/python -m examples.clusters

.PHONY: lint
lint: setup ## ruff, mypy --strict, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

.PHONY: test
test: setup ## everything: linters, unit tests, then the real control plane and cosign
	@./tests/run.sh

.PHONY: seeded
seeded: setup ## bring published vulnerabilities back one by one; a test must see each
	@$(BIN)/python -m tests.seeded

.PHONY: fuzz
fuzz: setup ## mutated reviews and bundles, for FUZZ_SECONDS (120)
	@$(BIN)/python -m tests.fuzz

.PHONY: faults
faults: setup ## a real gate under load while one fault after another happens to it (5 minutes)
	@$(BIN)/python -m tests.faults

.PHONY: applier-faults
applier-faults: setup tools ## a real applier under faults, killed at every write, and in a crowd (20 minutes)
	@$(BIN)/python -m tests.applier_faults
	@$(BIN)/python -m tests.applier_faults --kills
	@$(BIN)/python -m tests.applier_faults --crowd

.PHONY: bench
bench: setup ## ratios measured side by side in one run
	@$(BIN)/python -m bench

.PHONY: vectors
vectors: setup ## try every known way past the gate and print what came of it
	@$(BIN)/python -m tests.vectors

.PHONY: manifest-attacks
manifest-attacks: setup ## send attested images in manifests that nobody attested, and print what came of it
	@$(BIN)/python -m tests.manifests_attacks

.PHONY: applier-vectors
applier-vectors: setup ## print what hostile Git content may do to the applier, and where that is tested
	@$(BIN)/python -m tests.applier.vectors

.PHONY: defaults
defaults: setup tools ## record again what the real API server makes of absent members (2 minutes)
	@$(BIN)/python -m tests.cluster.defaults

.PHONY: images
images: setup tools ## build both container images and run them, under seccomp (root, buildah, runc; 6 minutes)
	@$(BIN)/python -m tests.images $(IMAGES)

.PHONY: ci-steps
ci-steps: setup ## write the signing step into the files of deploy/ci that hold a copy of it
	@$(BIN)/python -m tests.ci_steps.embed

.PHONY: lock
lock: ## pin the requirements again, with hashes (needs uv)
	@for name in run applier keyless dev; do uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate --python-version 3.11 requirements/$$name.in -o requirements/$$name.txt; done

.PHONY: clean
clean: ## remove .venv/ and caches; the Go programs stay in the per-user cache
	@rm -rf .venv .mypy_cache .ruff_cache .hypothesis dist
