# What one does with this project. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
EXTRAS := dev,misp,opencti,ray,service,train
REPORT := examples/copper-lantern.pdf

.PHONY: help install demo test lint bench images-check packages report readme constraints audit \
	licences sbom clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed-all .venv-misp/.installed ## Install everything needed to develop

demo: .venv/.installed ## Analyse the example report; write HTML, STIX and a Navigator layer
	$(BIN)/ttpscribe analyse $(REPORT) --format table --format html --format stix \
		--format navigator --output demo-output
	@cat demo-output/$(notdir $(REPORT)).txt
	@echo "In demo-output/:" && ls -1 demo-output

test: install packages lint ## Check everything: format, style, types, import rules, tests
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: install ## Check format, style, types and import rules only
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install ## Measure start, speed and memory (never part of the tests)
	$(BIN)/python bench/analyse.py

images-check: install ## Install and start each image by its own steps, all fetched anew (minutes)
	$(BIN)/python .ci/images.py

packages: ## Install the Debian packages that some tests need (as root; else name them)
	@.ci/packages

report: install ## Print the example report to PDF again, after a change of its Markdown
	$(BIN)/python examples/print_report.py examples/copper-lantern.md

readme: .venv/.installed ## Put a real run of the example into README.md, after a new release
	$(BIN)/python .ci/readme.py

constraints: .venv/.installed ## Pin the newest versions that fit together
	$(BIN)/python .ci/constraints.py > .venv/constraints.tmp
	mv .venv/constraints.tmp constraints.txt

audit: install ## Ask the advisory database about every pinned version (needs the network)
	$(BIN)/pip-audit --strict --disable-pip --no-deps --progress-spinner off \
		--requirement constraints.txt

licences: install ## Check the licence of everything that ships
	$(BIN)/python .ci/licences.py

sbom: install ## Write the bill of materials of what ships (CycloneDX) to dist/sbom.json
	mkdir -p dist
	$(BIN)/python .ci/sbom.py dist/sbom.json

clean: ## Remove the environment and everything made
	rm -rf .venv .venv-misp demo-output build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The core alone runs the demo. Stamps keep a second call fast; a changed pin installs anew.
.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "ttpscribe needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/.installed-all: .venv/.installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

# The real modules server of MISP, for its tests only; see .ci/misp-modules.txt.
.venv-misp/.installed: .ci/misp-modules.txt
	test -x .venv-misp/bin/python || $(PYTHON) -m venv .venv-misp
	.venv-misp/bin/python -m pip --disable-pip-version-check install --quiet \
		--requirement .ci/misp-modules.txt
	@touch $@
