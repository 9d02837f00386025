# The few commands, the same ones that CI calls. Everything lands in .venv and data/; nothing outside.

VENV := .venv
PYTHON := $(VENV)/bin/python
PORT := 5672
DATA := data
RUNS := 5000000
TESTS :=
BENCH :=

.PHONY: help serve test test-compiled faults faults-peers soak fuzz check format interop bench clean

help:
	@echo "make serve     run the broker on 127.0.0.1:$(PORT), its data in ./$(DATA) (PORT=, DATA=)"
	@echo "make test      run the tests (TESTS=tests/wire to run some)"
	@echo "make test-compiled   the same tests of the core, compiled by mypyc (needs a C compiler)"
	@echo "make faults    power cuts, failing disks, bit rot, kill -9: all of it (as root with real power cuts)"
	@echo "make faults-peers   RabbitMQ and this broker under the same power cuts (as root)"
	@echo "make soak      an hour of steady load, and how large the directory is meanwhile"
	@echo "make fuzz      octets that nobody should send, and more of them (RUNS=$(RUNS))"
	@echo "make check     format, lint, types"
	@echo "make format    put the format right"
	@echo "make interop   run real clients against the broker"
	@echo "make bench     compare with RabbitMQ, see benchmarks/README.md (BENCH=--help)"
	@echo "make clean     remove the virtual environment and caches, not the data"

serve: $(VENV)/.serve
	$(PYTHON) -m mambaamqp serve --port $(PORT) --data-dir $(DATA)

test: $(VENV)/.test
	$(PYTHON) -m pytest -n auto $(TESTS)

test-compiled:
	scripts/test-compiled

faults: $(VENV)/.test
	MAMBAAMQP_FAULTS=full $(PYTHON) -m pytest -o faulthandler_timeout=1200 --durations=20 tests/faults

faults-peers: $(VENV)/.test
	$(PYTHON) -m tests.faults.peers

soak: $(VENV)/.test
	$(PYTHON) -m benchmarks.soak

fuzz: $(VENV)/.fuzz
	MAMBAAMQP_FUZZ=40 $(PYTHON) -m pytest -o faulthandler_timeout=1200 tests/fuzz/test_wire.py
	$(PYTHON) -m tests.fuzz.guided --runs $(RUNS)

check: $(VENV)/.dev
	$(PYTHON) -m ruff format --check mambaamqp tests interop benchmarks
	$(PYTHON) -m ruff check mambaamqp tests interop benchmarks
	$(PYTHON) -m mypy

format: $(VENV)/.dev
	$(PYTHON) -m ruff format mambaamqp tests interop benchmarks
	$(PYTHON) -m ruff check --fix mambaamqp tests interop benchmarks

interop: $(VENV)/.dev
	$(PYTHON) -m pytest -n auto --dist loadfile interop

bench: $(VENV)/.serve
	[ -x .venv-compiled/bin/python ] || scripts/make-venv .venv-compiled
	MAMBAAMQP_COMPILE=yes .venv-compiled/bin/python -m pip install -q .
	$(PYTHON) benchmarks/compare.py $(BENCH)

clean:
	rm -rf $(VENV) .venv-compiled build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per set of requirements: installed again when they change, and only then.

$(VENV)/.serve: pyproject.toml setup.cfg
	scripts/make-venv $(VENV)
	$(PYTHON) -m pip install -q -e .
	@touch $@

$(VENV)/.test: pyproject.toml setup.cfg
	scripts/make-venv $(VENV)
	$(PYTHON) -m pip install -q -e ".[test]"
	@touch $@

$(VENV)/.fuzz: pyproject.toml setup.cfg
	scripts/make-venv $(VENV)
	$(PYTHON) -m pip install -q -e ".[fuzz]"
	@touch $@

$(VENV)/.dev: pyproject.toml setup.cfg
	scripts/make-venv $(VENV)
	$(PYTHON) -m pip install -q -e ".[dev]"
	@touch $@
