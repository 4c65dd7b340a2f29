# Two commands: `make site` sets everything up and runs the main job, `make test` sets everything up and runs the tests.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/rayops.serve_ha
# The environment lies in the cache, under a digest of what it is made from: a second checkout has it at once.
DIGEST := $(shell { $(PYTHON) -VV; cat requirements.txt test-requirements.txt tests/venv.sh; } 2>/dev/null | sha256sum | cut -c1-12)
VENV := $(CACHE)/venv-$(DIGEST)
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help setup site teardown test lint sanity unit molecule lab bench clean

help: ## show this help
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/ready ## set up the Python environment (.venv) and the collection's place on Ansible's path
	@ln -sfn $(VENV) .venv
	@mkdir -p .collections/ansible_collections/rayops
	@ln -sfn ../../.. .collections/ansible_collections/rayops/serve_ha

$(VENV)/ready:
	tests/venv.sh $(PYTHON) $(VENV) requirements.txt test-requirements.txt

site: setup ## build the deployment of inventories/local and prove it
	ansible-playbook site.yml

teardown: setup ## remove it
	ansible-playbook teardown.yml

test: lint unit sanity molecule ## the whole test suite

lint: setup ## ruff, yamllint, ansible-lint, changelog, documentation, build and install of the collection
	tests/lint.sh

unit: setup ## unit tests, on every supported ansible-core that this machine can run
	tests/units.sh

sanity: setup ## ansible-test sanity, on every supported ansible-core that this machine can run
	tests/sanity.sh

molecule: setup ## the molecule scenarios, real clusters all of them
	molecule test
	molecule test --scenario-name negative
	molecule test --scenario-name chat
	molecule test --scenario-name aws

lab: setup ## the molecule scenarios that take longer than a test may
	molecule test --scenario-name failures || { ansible-playbook molecule/failures/table.yml; exit 1; }
	molecule test --scenario-name aws_faults

bench: setup ## figures
	python tests/bench.py
	molecule create --scenario-name aws
	code=0; python tests/bench_aws.py || code=$$?; molecule destroy --scenario-name aws; exit $$code
	PYTHONPATH=.collections python tests/bench_serve.py

clean: ## forget the environment of this checkout (the cache stays)
	rm -rf .venv .collections .ansible
