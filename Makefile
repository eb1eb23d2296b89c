# Every target does its own set-up, once: what it needs is rebuilt when its inputs changed and left alone otherwise.
#
#   make PYTHON=python3.12 ...   builds the environment with that Python
#   make serve SITE=sites/docs   serves another site
#   CARGO_TARGET_DIR=...         where Rust is compiled; shared between clones unless set

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

SITE ?= sites/blog
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/hyperweb/target
export VIRTUAL_ENV := $(CURDIR)/.venv
export PATH := $(CURDIR)/.venv/bin:$(PATH)
unexport PYTHONHOME PYTHONPATH

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
CORE := python/hyperweb/_core.abi3.so

# Folders are inputs too: a file removed changes only its folder.
RUST := $(shell find rust -name fuzz -prune -o -name tests -prune -o -name benches -prune -o -print) Cargo.toml Cargo.lock

# The module is installed in one of two profiles at a time, and the stamp's name says which. With the module itself
# gone (a clean checkout over an old environment), neither stamp counts.
ifeq ($(wildcard $(CORE)),)
$(shell rm -f $(STAMPS)/core-dev $(STAMPS)/core-release)
endif

# maturin tells pyo3's build script these; cargo must say the same, or each would undo the other's compilation.
define like_maturin
	config="$$(ls -t $(CARGO_TARGET_DIR)/maturin/pyo3-config-*.txt 2>/dev/null | head -n 1 || true)"; \
	if [[ -n "$$config" ]]; then export PYO3_CONFIG_FILE="$$config"; fi; \
	export PYO3_BUILD_EXTENSION_MODULE=1 PYO3_PYTHON="$(CURDIR)/$(BIN)/python" PYTHON_SYS_EXECUTABLE="$(CURDIR)/$(BIN)/python"; \
	export PYO3_ENVIRONMENT_SIGNATURE="$$($(BIN)/python -c 'import sys; print("cpython-%d.%d-64bit" % sys.version_info[:2])')";
endef

.PHONY: help
help:
	@echo "make setup     the Python environment (.venv) with everything locked"
	@echo "make build     compile the Rust module quickly and install it into .venv"
	@echo "make serve     build and serve sites/blog in production mode (SITE=... for another)"
	@echo "make test      all tests, Rust and Python"
	@echo "make lint      every quality gate: rustfmt, clippy, ruff, mypy, stubtest"
	@echo "make fmt       format all the code"
	@echo "make docs      build and check the documentation, strictly"
	@echo "make reference write the data of the reference pages anew from the code"
	@echo "make bench     compare with nginx, Varnish, Caddy, H2O, Granian, Bun and a bare loop; time builds"
	@echo "make soak      ten minutes of a cache under load while processes are killed"
	@echo "make miri      the cache's unsafe code in an interpreter that finds undefined behaviour"
	@echo "make fuzz      a minute of each fuzz target (SECONDS=... TARGETS=...)"
	@echo "make wheel     build the wheel and try it where there is no Rust"
	@echo "make licenses  write THIRD_PARTY_LICENSES.md"
	@echo "make lock      write requirements.lock anew from pyproject.toml"
	@echo "make clean     remove what was built here, environment included"

$(STAMPS)/deps: requirements.lock | $(VENV)/bin/python
	@mkdir -p $(STAMPS)
	@echo "Installing the locked Python packages into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/bin/python:
	@python="$$(PATH="$${PATH#*:}" tools/doctor.sh)" && echo "Making $(VENV) with $$python" && "$$python" -m venv $(VENV)

.PHONY: doctor
doctor:
	@tools/doctor.sh >/dev/null

.PHONY: setup
setup: doctor $(STAMPS)/deps

$(STAMPS)/core-dev: $(RUST) pyproject.toml $(STAMPS)/deps
	@tools/doctor.sh >/dev/null
	@PIP_QUIET=1 $(BIN)/maturin develop --locked
	@rm -f $(STAMPS)/core-release && touch $@

$(STAMPS)/core-release: $(RUST) pyproject.toml $(STAMPS)/deps
	@tools/doctor.sh >/dev/null
	@echo "Compiling hyperweb for production. The first time takes about ten minutes on two cores; then only what changed."
	@PIP_QUIET=1 $(BIN)/maturin develop --release --locked
	@rm -f $(STAMPS)/core-dev && touch $@

.PHONY: build
build: $(STAMPS)/core-dev

.PHONY: release
release: $(STAMPS)/core-release

.PHONY: serve
serve: release
	@exec $(BIN)/hyperweb serve $(SITE) --prod

# The bindings hold no logic and have no Rust tests; Python's tests drive them.
.PHONY: test
test: $(STAMPS)/core-dev
	cargo test --locked --workspace --exclude hyperweb-python
	$(BIN)/python -m pytest

.PHONY: lint
lint: $(STAMPS)/core-dev
	cargo fmt --all --check
	@echo "cargo clippy --workspace --all-targets -- -D warnings"
	@$(like_maturin) cargo clippy --locked --workspace --all-targets -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(if $(wildcard sites/*/handlers.py),$(BIN)/mypy $(wildcard sites/*/handlers.py))
	$(BIN)/python -m mypy.stubtest hyperweb._core --mypy-config-file pyproject.toml

.PHONY: fmt
fmt: $(STAMPS)/deps
	cargo fmt --all
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

.PHONY: docs
docs: $(STAMPS)/core-dev
	$(BIN)/python -m tools.reference --check
	$(BIN)/hyperweb build sites/docs --strict
	$(BIN)/hyperweb check sites/docs --strict

# What the reference pages are rendered from, written anew from the code.
.PHONY: reference
reference: $(STAMPS)/core-dev
	$(BIN)/python -m tools.reference

.PHONY: bench
bench: release
	@tools/need.sh nginx wrk h2load npm rustc caddy h2o varnishd
	$(BIN)/python -m benches.compare
	$(BIN)/python -m benches.build_times
	$(BIN)/python -m benches.minify
	$(BIN)/python -m pytest --codspeed benches

# A thousand random edits of a site, each incremental build compared with a clean one; EDITS=... for another number.
.PHONY: edits
edits: EDITS ?= 1000
edits: $(STAMPS)/core-dev
	$(BIN)/python -m benches.edits --edits $(EDITS)

# Ten minutes of several processes under load, with purges, changing limits, and one killed now and then.
.PHONY: soak
soak: SECONDS ?= 600
soak:
	@tools/need.sh rustc
	cargo run --release --manifest-path benches/cache/Cargo.toml -- soak $(SECONDS)

# The tests that run the cache's unsafe code, but what calls LMDB, in an interpreter that finds undefined behaviour. It
# needs the nightly compiler with its component miri, and some minutes.
.PHONY: miri
miri:
	@rustup component list --toolchain nightly 2>/dev/null | grep -q 'miri.*installed' || { \
		echo "Miri is missing: rustup toolchain install nightly --component miri" >&2; exit 1; }
	PROPTEST_CASES=2 MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test -p hyperweb-cache \
		--no-default-features --test cache --test pool

# Each target of fuzz/ for so many seconds. It needs the nightly compiler, and has cargo-fuzz installed into the cache.
.PHONY: fuzz
fuzz: SECONDS ?= 60
fuzz:
	tools/fuzz.sh $(SECONDS) $(TARGETS)

.PHONY: wheel
wheel: setup
	@rm -rf wheels
	$(BIN)/maturin build --release --locked --out wheels
	tools/try_wheel.sh wheels/*.whl

.PHONY: licenses
licenses: $(STAMPS)/deps
	$(BIN)/python -m tools.licenses

.PHONY: lock
lock: | $(VENV)/bin/python
	$(BIN)/pip-compile --quiet --extra dev --strip-extras --allow-unsafe --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header \
		--output-file requirements.lock pyproject.toml
	@sed -i '1i # Every package the project is developed with, by hash. Made from pyproject.toml by make lock.' requirements.lock

# The folder where Rust is compiled is shared with other clones, so it stays.
.PHONY: clean
clean:
	rm -rf $(VENV) wheels .pytest_cache .mypy_cache .ruff_cache .hypothesis .codspeed
	rm -rf python/hyperweb/_core*.so sites/*/dist sites/*/.hyperweb
	find python tests benches tools sites -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Compiled Rust stays in $(CARGO_TARGET_DIR); remove it by hand to compile from nothing."
