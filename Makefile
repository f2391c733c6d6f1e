# One door for humans; CI and pre-commit call the same targets.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/
READY := $(VENV)/.ready
SPARK := $(VENV)/.spark
TOOLS := $(CURDIR)/data/tools
PIN := uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header

# Everything that tools would write into a home folder stays in the project.
export MPLCONFIGDIR := $(TOOLS)/matplotlib
export JUPYTER_CONFIG_DIR := $(TOOLS)/jupyter
export JUPYTER_DATA_DIR := $(TOOLS)/jupyter
export IPYTHONDIR := $(TOOLS)/ipython
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_CACHE_DIR := $(TOOLS)/pip

.DEFAULT_GOAL := environment
.PHONY: environment demo serve spark test soak check lint types contracts format catalogue requirements clean

environment: $(READY) ## Make .venv with everything pinned, and the command `holdfast` in it

$(READY): requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Holdfast needs Python 3.11 or newer: '$(PYTHON)' isn't there. Name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Holdfast needs Python 3.11 or newer; '$(PYTHON)' is older. Name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Holdfast needs Python's venv module; your system packages it apart, as python3-venv."; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN)python -m pip install --quiet --progress-bar on --require-hashes --requirement requirements.txt
	$(RUN)python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@$(RUN)python -c 'import lightgbm' || { echo "LightGBM needs the system's library libgomp; on Debian and Ubuntu it is the package libgomp1."; exit 1; }
	@touch $(READY)

demo: $(READY) ## Carry real data all the way: history, models, service, decision, outcome
	$(RUN)holdfast demo

serve: $(READY) ## Keep the service up on loopback, with the champion bundle
	$(RUN)holdfast serve

spark: $(SPARK) ## Add PySpark and a Java to .venv

$(SPARK): requirements-spark.txt $(READY)
	$(RUN)python -m pip install --quiet --progress-bar on --no-build-isolation --require-hashes --requirement requirements-spark.txt
	@touch $(SPARK)

test: $(SPARK) ## Run all tests
	@mkdir -p $(TOOLS)
	$(RUN)pytest
	$(RUN)pytest --nbmake --nbmake-timeout=600 notebooks

soak: $(READY) ## Keep a service under mixed load for half an hour, and see that its memory stays flat
	$(RUN)python -m benchmarks.soak --minutes 30

check: lint types contracts test ## The one definition of green

lint: $(READY)
	$(RUN)ruff check .
	$(RUN)ruff format --check .

types: $(READY)
	$(RUN)mypy

contracts: $(READY)
	$(RUN)lint-imports

format: $(READY) ## Lay the code out
	$(RUN)ruff check --fix .
	$(RUN)ruff format .

catalogue: $(READY) ## Write docs/features.md anew, from the definitions
	$(RUN)python -m features.catalogue > docs/features.md

requirements: ## Pin every dependency anew, with hashes (needs uv)
	@command -v uv >/dev/null || { echo "Pinning needs uv: pip install uv"; exit 1; }
	$(PIN) --output-file requirements.txt pyproject.toml --all-extras
	$(PIN) --output-file requirements-spark.txt --group spark --constraints requirements.txt

clean: ## Remove the environment; data/ and mlruns/ stay
	rm -rf $(VENV)

help: ## Show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16
.PHONY: help
