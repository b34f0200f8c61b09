# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
# PYTHON picks the interpreter that makes the environment (3.11 or newer); PIP_ARGS is passed to pip.
PYTHON ?= python3
PIP_ARGS ?=
RUN := .venv/bin/python
INSTALLED := .venv/installed
export TRANSFORMERS_VERBOSITY ?= error
export WANDB_MODE ?= disabled
export PYTHONWARNINGS ?= ignore

.PHONY: demo test test-slow check lint format bench bench-peers tables organisms constraints clean

demo: $(INSTALLED)
	@$(RUN) -m experiments demo

# The tests of the real model fetch it once into the user's cache; they are skipped, with the reason, where they cannot.
test: $(INSTALLED)
	@$(RUN) -m pytest -n auto --dist loadfile -m "not slow and not network and not gpu"

test-slow: $(INSTALLED)
	@$(RUN) -m pytest -m "slow"

check: lint test

lint: $(INSTALLED)
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m pyright

format: $(INSTALLED)
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

bench: $(INSTALLED)
	@$(RUN) -m benchmarks.determinism
	@$(RUN) -m benchmarks.engine
	@$(RUN) -m benchmarks.probes
	@$(RUN) -m benchmarks.saes
	@$(RUN) -m benchmarks.coverage

# Against other libraries, in an environment of their own: their pins clash with the lab's.
PEERS := .peers/bin/python
PROBE_PEERS := .peers-probes/bin/python
bench-peers: $(INSTALLED)
	@test -x $(PEERS) || "$(PYTHON)" -m venv .peers
	@$(PEERS) -m pip install --quiet $(PIP_ARGS) "torch==2.13.0"
	@$(PEERS) -m pip install --quiet $(PIP_ARGS) "torch==2.13.0" repeng==0.4.0 steering-vectors==0.12.2 nnsight==0.8.1
	@$(PEERS) -m pip install --quiet $(PIP_ARGS) psutil
	@$(RUN) -m benchmarks.peers --python $(PEERS)
	@$(RUN) -m benchmarks.residuals --python $(PEERS)
	@test -x $(PROBE_PEERS) || "$(PYTHON)" -m venv .peers-probes
	@$(PROBE_PEERS) -m pip install --quiet $(PIP_ARGS) "torch==2.13.0" probelab==0.1.0 lmprobe==0.10.3
	@$(RUN) -m benchmarks.probe_peers --python $(PROBE_PEERS)

# The numbers and the figure in README.md and docs/demo.md, written anew from a run (the figure needs a browser
# that kaleido can use: pip install -c constraints.txt -e ".[figures]").
tables: $(INSTALLED)
	@$(RUN) -m benchmarks.tables

# Installed once; again only when what is to be installed changes.
$(INSTALLED): pyproject.toml constraints.txt
	@test -d .venv || "$(PYTHON)" -m venv .venv
	@echo "installing the lab into .venv (a few minutes, once)"
	@$(RUN) -m pip install --quiet $(PIP_ARGS) -c constraints.txt "torch==2.13.0"
	@$(RUN) -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e ".[dev]"
	@touch $(INSTALLED)

# The cards of the shipped organisms and the tables in docs/organisms.md, from what the organisms do.
organisms: $(INSTALLED)
	@$(RUN) -m experiments organisms cards
	@$(RUN) -m benchmarks.organisms

constraints: $(INSTALLED)
	@$(RUN) -m pip freeze --exclude-editable

clean:
	rm -rf .venv runs
