PYTHON ?= python3
PORT ?= 8000
# What `make test` and `make drills` hand to pytest: make test TESTS="-k sqlite tests/venues"
TESTS ?=

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Wheels only: building a source archive would fetch tools that no hash here covers.
LOCKED := --require-hashes --only-binary :all:
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
	$(if $(UPGRADE),--upgrade)

# Hundreds of processes of the tests import the service, and each would compile it anew.
unexport PYTHONDONTWRITEBYTECODE

PEERS := tests/bench/peers/requirements

APT_GET := DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300
MAY_APT_GET := [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null

.PHONY: help install run test types compiled drills journeys bench screenshots lock sbom openapi clients messages \
	postgis chromium

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 20

install: .venv/installed ## set up .venv, with the havens command in it

run: install ## serve the demonstration on http://127.0.0.1:8000 (PORT= to change)
	HAVENS_ENVIRONMENT=demo HAVENS_PUBLIC_URL=$${HAVENS_PUBLIC_URL:-http://127.0.0.1:$(PORT)} \
		$(BIN)/havens serve --port $(PORT)

test: .venv/installed-dev postgis chromium ## lint, types, layers, tests on SQLite, on PostGIS and in Chromium
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory --jobs 2 types compiled
	$(BIN)/pytest --numprocesses 3 --dist worksteal $(TESTS)

types:
	$(BIN)/mypy
	$(BIN)/lint-imports

# Here once, and not by each of the tests' processes at the same time; later it is read from disk.
compiled:
	$(BIN)/pytest --quiet tests/walking/test_search_on_foot.py

drills: .venv/installed-dev postgis chromium ## the tests that try many cases, with all of them
	@[ -n "$$(find /usr/lib -name libfaketimeMT.so.1)" ] || ! { $(MAY_APT_GET); } || { \
		$(APT_GET) update; $(APT_GET) install -y --no-install-recommends faketime; }
	@[ -x /usr/sbin/pgbouncer ] || ! { $(MAY_APT_GET); } || { \
		$(APT_GET) update; $(APT_GET) install -y --no-install-recommends pgbouncer; }
	$(BIN)/pytest --numprocesses 2 --dist worksteal --drill -m drill $(TESTS)
	$(BIN)/python -m tests.drills.connections
	$(BIN)/python -m tests.drills.canaries
	$(BIN)/python -m tests.drills.sign_in
	$(BIN)/python -m tests.drills.provider
	$(BIN)/python -m tests.drills.reports
	$(BIN)/python -m tests.drills.letters
	$(BIN)/python -m tests.drills.restore
	$(BIN)/python -m tests.drills.point_in_time
	$(BIN)/python -m tests.drills.trouble
	$(BIN)/python -m tests.drills.replacing
	$(BIN)/python -m tests.drills.scale
	$(BIN)/python -m tests.drills.followers
	$(BIN)/python -m tests.drills.clocks
	$(BIN)/python -m tests.drills.contracts
	$(BIN)/python -m tests.drills.clients
	$(BIN)/python -m tests.drills.gdal
	$(BIN)/python -m tests.drills.kills
	$(BIN)/python -m tests.bench soak

journeys: .venv/installed-dev postgis chromium ## days of work by clicking in Chromium, on a phone and a desk
	$(BIN)/pytest --numprocesses 2 --dist worksteal --journey -m journey -rP $(TESTS)

bench: .venv/installed-dev .venv-bench/installed postgis chromium ## run the benchmarks
	@{ command -v wrk && command -v redis-server; } >/dev/null || ! { $(MAY_APT_GET); } || { \
		$(APT_GET) update; $(APT_GET) install -y --no-install-recommends wrk redis-server; }
	$(BIN)/python -m tests.bench

# In the typeface that pages look for, which a bare Debian lacks.
screenshots: .venv/installed-dev chromium ## take the pictures of the README anew
	@fc-match Arial 2>/dev/null | grep -q Liberation || ! { $(MAY_APT_GET); } || \
		$(APT_GET) install -y --no-install-recommends fonts-liberation
	$(BIN)/python -m tests.pictures

lock: .venv/installed-dev ## rewrite the lock files from pyproject.toml (UPGRADE=1 for the newest)
	$(LOCK) --group build --output-file requirements.lock
	$(LOCK) --group build --group dev --constraint requirements.lock \
		--output-file requirements-dev.lock
	$(subst pyproject.toml,$(PEERS).in,$(LOCK)) --constraint requirements.lock \
		--output-file $(PEERS).lock

sbom: .venv/installed-dev ## write what requirements.lock pins, as a CycloneDX bill of materials, to sbom.json
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT \
		&& uv=$$PWD/$(BIN)/uv && lock=$$PWD/requirements.lock && bom=$$PWD/sbom.json \
		&& $$uv init --quiet --bare --name safe-havens --python $$PWD/$(BIN)/python "$$folder" \
		&& cd "$$folder" && $$uv add --quiet --no-sync --requirements "$$lock" \
		&& $$uv export --quiet --frozen --format cyclonedx1.5 --output-file "$$bom" && echo sbom.json

openapi: install ## rewrite openapi/ from the code
	$(BIN)/havens openapi

# No lock file: one would hold where each package was fetched from.
clients: ## make the TypeScript of docs/typescript from the contract and compile it (needs Node.js)
	@command -v npm >/dev/null || { echo "Node.js with npm is needed, and there is no npm"; exit 1; } >&2
	cd docs/typescript && npm install --silent --no-audit --no-fund --no-package-lock \
		&& npm run --silent build

# Without places, dates or versions in them, so that a catalogue changes with its messages alone.
CATALOGUE := app/http/locale
PYBABEL := $(BIN)/pybabel --quiet

messages: .venv/installed-dev ## take new messages of pages into the catalogues, and compile them
	$(PYBABEL) extract --mapping-file pyproject.toml --no-location --sort-output \
		--keywords "forms:1,2 marked" --output $(CATALOGUE)/havens.pot app
	for language in pl es ar; do \
		$(PYBABEL) update --domain havens --input-file $(CATALOGUE)/havens.pot \
			--output-dir $(CATALOGUE) --locale $$language --init-missing --no-fuzzy-matching \
			--ignore-obsolete --ignore-pot-creation-date; done
	$(PYBABEL) compile --domain havens --directory $(CATALOGUE)

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

# With fonts, Arabic ones too, or all text is boxes.
chromium: .venv/installed-dev
	@$(BIN)/python -m tests.browsers >/dev/null 2>&1 || ! { $(MAY_APT_GET); } || { \
		$(APT_GET) update; $(APT_GET) install -y --no-install-recommends chromium fonts-dejavu-core; }
	@$(BIN)/python -m tests.browsers || [ -z "$$CI" ]
