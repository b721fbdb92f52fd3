PYTHON ?= python3
PORT ?= 8000
# What `make test` hands to pytest: make test TESTS="-k sqlite tests/venues"
TESTS ?=

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Wheels only: building a source archive would fetch tools that no hash here covers.
LOCKED := --require-hashes --only-binary :all:
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
	$(if $(UPGRADE),--upgrade)

PEERS := tests/bench/peers/requirements

APT_GET := DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300
MAY_APT_GET := [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null

.PHONY: help install run test bench lock openapi postgis

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 18

install: .venv/installed ## set up .venv, with the havens command in it

run: install ## serve the demonstration on http://127.0.0.1:8000 (PORT= to change)
	HAVENS_ENVIRONMENT=demo $(BIN)/havens serve --port $(PORT)

test: .venv/installed-dev postgis ## lint, types, layers, tests on SQLite and on PostGIS
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses 2 --dist worksteal $(TESTS)

bench: .venv/installed-dev .venv-bench/installed postgis ## run the benchmarks
	@{ command -v wrk && command -v redis-server; } >/dev/null || ! { $(MAY_APT_GET); } || { \
		$(APT_GET) update; $(APT_GET) install -y --no-install-recommends wrk redis-server; }
	$(BIN)/python -m tests.bench

lock: .venv/installed-dev ## rewrite the lock files from pyproject.toml (UPGRADE=1 for the newest)
	$(LOCK) --group build --output-file requirements.lock
	$(LOCK) --group build --group dev --constraint requirements.lock \
		--output-file requirements-dev.lock
	$(subst pyproject.toml,$(PEERS).in,$(LOCK)) --constraint requirements.lock \
		--output-file $(PEERS).lock

openapi: install ## rewrite openapi/ from the code
	$(BIN)/havens openapi

.venv/installed: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
		echo "Python 3.11 or newer is needed, and there is no $(PYTHON): make PYTHON=/path/to/python3"; exit 1; } >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, not $$($(PYTHON) --version 2>&1): make PYTHON=/path/to/python3"; exit 1; } >&2
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: on Debian and Ubuntu, apt-get install python3-venv"; exit 1; } >&2
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@echo "Installing into .venv"
	@$(INSTALL) $(LOCKED) -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/installed-dev: requirements-dev.lock .venv/installed
	@echo "Installing the development tools into .venv"
	@$(INSTALL) $(LOCKED) -r requirements-dev.lock
	@touch $@

.venv-bench/installed: $(PEERS).lock | .venv/installed
	@$(BIN)/python -m venv --clear .venv-bench
	@echo "Installing what is measured beside the service into .venv-bench"
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check $(LOCKED) -r $<
	@touch $@

# Left to itself the package also makes and starts a database of its own, which nobody asked for.
NO_CLUSTER := /etc/postgresql-common/createcluster.d/safe-havens-tests.conf

postgis: .venv/installed-dev
	@$(BIN)/python -m tests.databases >/dev/null 2>&1 || ! { $(MAY_APT_GET); } || { \
		mkdir -p $(dir $(NO_CLUSTER)); echo "create_main_cluster = false" >$(NO_CLUSTER); \
		$(APT_GET) update; $(APT_GET) install -y --no-install-recommends postgresql-postgis; \
		rm -f $(NO_CLUSTER); }
	@$(BIN)/python -m tests.databases || [ -z "$$CI" ]
