.DEFAULT_GOAL := help
# python3 if it is new enough and can make environments, else the newest one beside it.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN = .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
# What a desktop processor without AVX-512 computes, in torch, in oneDNN and in MKL.
AVX2 = ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2

.PHONY: help demo test test-all test-avx2 test-peers test-elsewhere torture lint format bench zoo dist clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' Makefile

demo: .venv/.installed ## Complete the example photo eight times, offline
	@$(BIN)/python -m inpaint_cli complete examples/photo.png --mask examples/mask.png -n 8 -o demo
	@echo "The contact sheet: demo/photo-sheet.png"

test: .venv/.installed-test ## Run the tests, without the slow ones (what CI runs)
	$(BIN)/python -m pytest -q -m 'not slow' $(PYTEST_ARGS)

test-all: .venv/.installed-test ## Run every test
	$(BIN)/python -m pytest -q $(PYTEST_ARGS)

test-avx2: .venv/.installed-test ## Run what `test` runs, as on a processor without AVX-512
	$(AVX2) $(BIN)/python -m pytest -q -m 'not slow' $(PYTEST_ARGS)

test-peers: .venv/.installed-peers ## Compare metrics and networks with other implementations
	INPAINT_NEEDS_PEERS=1 $(BIN)/python -m pytest -q tests/metrics/test_peers.py $(PYTEST_ARGS)

test-elsewhere: ## Run what `test` runs in a copy: another user, a space, no HOME, LANG=C, one core, offline
	tests/robustness/environments.sh $(PYTEST_ARGS)

torture: .venv/.installed-test ## Kill every command, everywhere, and print how often it went well
	$(BIN)/python -m tests.robustness.torture

lint: .venv/.installed-test ## Check style and types
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.installed-test ## Put the code into its usual form
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

bench: .venv/.installed-test ## Measure side by side what the benchmarks compare
	@for name in masks pcnn_sampling latent_codes score_features ipa_cost; do echo "benchmarks.$$name" && $(BIN)/python -m benchmarks.$$name || exit 1; done

zoo: .venv/.installed ## Train every model that ships, as its card says; resumable (hours)
	$(BIN)/python -m inpaint_cli.zoo.making

dist: clean .venv/.installed-test ## Build the sdist and the wheel into dist/
	$(BIN)/python -m build --no-isolation

clean: ## Remove what was built; .venv/, runs/ and completions stay
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The stamps stand for an installation of these files; the editable one needs no more than that.
.venv/.installed: setup.cfg setup.py pyproject.toml constraints.txt | .venv/pyvenv.cfg
	$(BIN)/python -m pip install -q -c constraints.txt -e . && touch $@

.venv/.installed-test: setup.cfg setup.py pyproject.toml constraints.txt | .venv/pyvenv.cfg
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[test]' && touch .venv/.installed $@

# What the tests in a browser need besides chromium itself; .ci/run has both.
.venv/.installed-browser: .venv/.installed-test
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[browser,notebook]' && touch $@

.venv/.installed-peers: .venv/.installed-test
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[peers]' && touch $@

.venv/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 with venv found. Install one (Debian: python3 and python3-venv), or name it: make PYTHON=/path/to/python3"; exit 1; }
	"$(PYTHON)" -m venv .venv
