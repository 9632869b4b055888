# What there is to do with this project. `make` alone prints the targets.
# Nothing is needed beforehand but git, make, python3 (3.11 or later) and python3-venv.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
RUNNING := .venv/.running
DEVELOPING := .venv/.developing
FORMATTED := demo tools tests/demo

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help venv demo hub test test-kubernetes faults soak check fmt messages sbom clean

help: ## print these lines
	@echo "Avrop: a vendor-neutral AI hub for medical imaging"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-22s%s\n", $$1, $$2}'

demo: $(RUNNING) ## a morning at nine hospital trusts; ARGS=--help tells what else it can do
	@$(BIN)/python -m demo $(ARGS)

hub: $(RUNNING) ## the hub in the foreground, set up by the environment or .env
	@$(BIN)/python manage.py hub

test: $(DEVELOPING) ## all tests, with all they need; ARGS="tests/routing -x" for some
	@tools/test $(ARGS)

test-kubernetes: $(DEVELOPING) ## the suite of the performer against the cluster of KUBECONFIG, real containers and all
	@HUB_REQUIRE_ALL=1 $(BIN)/python -m pytest -p no:cacheprovider --timeout 1800 tests/real_cluster $(ARGS)

faults: $(DEVELOPING) ## what dies, lies or runs full, at length; ARGS="--seconds 60 --seed 7" for less
	@tools/faults $(ARGS)

soak: $(DEVELOPING) ## two hours under twice the load; ARGS="--minutes 2" for less
	@$(BIN)/python -m tests.faults.soak $(ARGS)

bench: $(DEVELOPING) ## the hub beside its peers, measured; ARGS=--quick ends within 6 minutes
	@tools/install-peers dcmtk orthanc postgresql redis-server
	@$(BIN)/python -m bench $(ARGS)

check: $(DEVELOPING) ## style, types, layers, migrations, settings for production
	@tools/check

fmt: $(DEVELOPING) ## repair what can be repaired in the style of the code
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format $(FORMATTED)

sbom: $(DEVELOPING) ## the bill of materials (CycloneDX): sbom.cdx.json
	@$(BIN)/python tools/sbom sbom.cdx.json

messages: $(DEVELOPING) ## collect the sentences to translate, and compile them (needs gettext)
	@$(BIN)/python hub/locale/update.py

venv: $(DEVELOPING) ## make or renew .venv, with all a developer needs

clean: ## remove .venv, the state of demonstrations and all caches, but no state of a hub
	@rm -rf .venv var/demo staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Both have a stamp: a second run looks at two times and goes on.
$(RUNNING): requirements.txt examples/algorithms/requirements.txt tools/venv
	@PYTHON=$(PYTHON) tools/venv -r requirements.txt -r examples/algorithms/requirements.txt
	@touch $@

$(DEVELOPING): requirements-dev.txt $(RUNNING)
	@PYTHON=$(PYTHON) tools/venv -r requirements-dev.txt
	@touch $@
