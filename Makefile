# `make` sets up the environment and builds every table at scale mini; `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
CORES ?= 2
SCALE ?= mini
CONFIG ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
SNAKEMAKE = $(BIN)/snakemake --cores $(CORES) --config scale=$(SCALE) $(CONFIG)

.PHONY: all setup plan envs clean-dumps tables report dag-report test test-cluster test-drills test-quick lint format bench bench-gpu clean-work clean constraints rulegraph help

all: tables  ## Set up, then build every table and the report at scale mini
	@echo
	@echo "Tables:  results/$(SCALE)/tables/  (csv, md, tex, html)"
	@echo "Report:  results/$(SCALE)/report.html"

setup: $(STAMP)  ## Make the virtual environment .venv with pinned packages

$(STAMP): requirements.txt requirements-dev.txt constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements.txt -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

tables: $(STAMP)  ## Build every table of SCALE (default mini); CONFIG adds settings, e.g. CONFIG=mirror=DIR
	$(SNAKEMAKE)

plan: $(STAMP)  ## Print what SCALE will cost (core-hours, GPU-hours, disk, download), starting nothing
	$(BIN)/python -m mluke_core.planning --config scale=$(SCALE) $(CONFIG)

report: $(STAMP)  ## Write results/<scale>/report.html, which opens offline (SCALE as for tables)
	$(SNAKEMAKE) report

dag-report: $(STAMP)  ## Write results/<scale>/dag-report.html, Snakemake's own report of jobs and files
	$(SNAKEMAKE) --report results/$(SCALE)/dag-report.html

test: $(STAMP)  ## Run all tests, the whole DAG at scale mini among them
	$(BIN)/python -m pytest

test-drills: $(STAMP)  ## Run the long failure drills: kills, full disks, jumping clocks
	$(BIN)/python -m pytest --drills -m drill

test-quick: $(STAMP)  ## Run the tests that do not run the workflow
	$(BIN)/python -m pytest -m "not workflow"

test-cluster: $(STAMP)  ## As root, run the tests on a real Slurm (Debian: slurmctld slurmd slurm-client munge iproute2)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements-cluster.txt
	$(BIN)/python -m pytest -m cluster --run-cluster --durations=0 tests/cluster

lint: $(STAMP)  ## Check style, types and rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

format: $(STAMP)  ## Format Python and rules
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

bench: $(STAMP)  ## Run every benchmark in benchmarks/
	for file in benchmarks/[a-z]*.py; do $(BIN)/python $$file; done

bench-gpu: $(STAMP)  ## Run the benchmarks that have --gpu (needs a CUDA device)
	for file in $$(grep -l '"--gpu"' benchmarks/[a-z]*.py); do $(BIN)/python $$file --gpu; done

rulegraph: $(STAMP)  ## Draw docs/rulegraph.svg (needs graphviz)
	$(BIN)/snakemake all --forceall --rulegraph dot 2>/dev/null | dot -Tsvg > docs/rulegraph.svg

constraints: $(STAMP)  ## Pin the versions that are installed now
	{ echo "# Versions everything was tested with. Written by \`make constraints\`; edit requirements*.txt instead."; \
	  { $(BIN)/python -m pip freeze --exclude-editable | sed -E 's/^(torch==[0-9.]+)\+.*/\1/'; \
	    grep '^snakemake-executor-plugin' constraints.txt; } | sort -fu; } > constraints.new
	mv constraints.new constraints.txt

envs: $(STAMP)  ## Write the conda files in envs/ from requirements*.txt and constraints.txt
	$(BIN)/python envs/write_conda_files.py

clean-work:  ## Remove checkpoints of training and other working files; what is unfinished starts anew
	rm -rf results/*/work

clean-dumps:  ## Remove the downloaded dumps; extracting them again would need another download
	rm -rf results/downloads/dumps.wikimedia.org/*wiki results/downloads/archive.org

clean:  ## Remove the results of SCALE
	rm -rf results/$(SCALE)

help:  ## List these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | expand -t 16
