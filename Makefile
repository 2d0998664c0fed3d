# Two commands: `make up` runs the stack and loads the year, `make test` runs everything that CI runs.
# Needs make and a Python of at least 3.11, nothing else.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
VENV := .venv
RUN := $(VENV)/bin/python
STAMPS := $(VENV)/.stamps
PEERS := $(VENV)/peers
DBT := include/dbt
BENCHES ?= movement api conform transform
STAGES := unit dags integration faults e2e

# Compiled imports start faster; a machine-wide setting against them must not reach what runs here.
unexport PYTHONDONTWRITEBYTECODE
unexport VIRTUAL_ENV
export PYTHONPATH := $(CURDIR):$(CURDIR)/plugins

.DEFAULT_GOAL := help
.PHONY: help up down clean status logs airflow psql test check bench generate manifest constraints

help: ## Show this help
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile | expand -t 20

up: $(STAMPS)/run $(STAMPS)/kernels manifest ## Start the stack, load the year, leave the Airflow UI up; safe to repeat
	@$(RUN) -m local up

down: ## Stop what `make up` started
	@test ! -x $(RUN) || $(RUN) -m local down

clean: ## Stop the stack and delete its state
	@test ! -x $(RUN) || $(RUN) -m local clean

status: $(STAMPS)/run ## Show processes, memory, health and the latest runs
	@$(RUN) -m local status

logs: $(STAMPS)/run ## Follow the stack's log
	@$(RUN) -m local logs

airflow: $(STAMPS)/run ## Run Airflow's command line on the stack: make airflow ARGS="dags list"
	@$(RUN) -m local airflow $(ARGS)

psql: $(STAMPS)/run ## Open the warehouse as analyst, or as another role: make psql ROLE=loader
	@$(RUN) -m local psql $(ROLE)

test: check ## Run everything that CI runs: check, then all tests
	@for stage in $(STAGES); do \
		echo; echo "== tests/$$stage"; $(RUN) -m pytest tests/$$stage || exit 1; \
	done

check: $(STAMPS)/test manifest ## Lint, types, declarations, generated files
	@echo "== lint"
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check
	@$(RUN) -m sqlfluff lint --disable-progress-bar $(DBT)/models $(DBT)/macros $(DBT)/tests
	@$(RUN) -m yamllint --strict .
	@echo "== types"
	@$(RUN) -m mypy
	@echo "== declarations"
	@$(RUN) -m datastack check
	@$(RUN) -m datastack generate --check

bench: $(STAMPS)/run $(STAMPS)/kernels $(if $(findstring --without-peers,$(ARGS)),,$(STAMPS)/peers) ## Measure speed and memory beside other tools
	@for what in $(BENCHES); do echo "== $$what"; $(RUN) -m bench $$what $(ARGS) || exit 1; done

generate: $(STAMPS)/run ## Write the files that follow from contracts and models
	@$(RUN) -m datastack generate

manifest: $(STAMPS)/run ## Let dbt write the manifest that the DAGs are made from, if its project changed
	@$(RUN) -m datastack manifest

constraints: $(STAMPS)/uv ## Resolve all requirements again into constraints.txt
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" uv pip compile -q --universal --python-version 3.11 --no-header \
		--no-emit-index-url --no-annotate requirements.txt local/requirements.txt tests/requirements.txt \
		-o constraints.txt

$(STAMPS)/run: $(STAMPS)/uv requirements.txt local/requirements.txt constraints.txt
	@echo "Installing what the stack needs"
	@$(call install,requirements.txt local/requirements.txt)
	@touch $@

$(STAMPS)/kernels: $(STAMPS)/run plugins/datastack/codec/*.py
	@rm -f plugins/datastack/codec/__pycache__/*.nb[ic]  # a kernel does not notice that one changed which it calls
	@$(RUN) -m datastack compile >/dev/null
	@touch $@

$(STAMPS)/test: $(STAMPS)/run tests/requirements.txt
	@echo "Installing what the tests need"
	@$(call install,requirements.txt local/requirements.txt tests/requirements.txt)
	@touch $@

$(STAMPS)/peers: $(STAMPS)/uv bench/requirements.txt
	@echo "Installing the tools that ours is measured beside, into a venv of their own"
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" uv venv --quiet --clear --python $(RUN) $(PEERS)
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" uv pip install --quiet --python $(PEERS)/bin/python --compile-bytecode \
		-r bench/requirements.txt
	@touch $@

define install
PATH="$(CURDIR)/$(VENV)/bin:$$PATH" uv pip install --quiet --python $(RUN) --compile-bytecode \
	-c constraints.txt $(patsubst %,-r %,$(1))
endef

$(STAMPS)/uv:
	@test -n "$(PYTHON)" || { echo "No Python of at least 3.11 found: install one," \
		"or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "$(PYTHON) is no Python of at least 3.11: name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(RUN) || { echo "Creating $(VENV)"; "$(PYTHON)" -m venv --without-pip $(VENV); }
	@command -v uv >/dev/null || test -x $(VENV)/bin/uv || $(RUN) -m ensurepip --upgrade >/dev/null 2>&1 || { \
		echo "This Python has neither uv nor pip: install uv, or your system's python3-venv package." >&2; exit 1; }
	@command -v uv >/dev/null || test -x $(VENV)/bin/uv || $(RUN) -m pip install --quiet uv
	@mkdir -p $(STAMPS) && touch $@
