#!/usr/bin/env bash
# Everything that looks at the files without running them, with the tools of the active virtual environment. Offline.
set -euo pipefail
cd "$(dirname "$0")/.."

ruff check .
shellcheck tests/*.sh
yamllint --strict .
ansible-lint --offline --strict
antsibull-changelog lint

# The collection as a user gets it: built, installed into an empty path, its playbooks called by name.
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
ansible-galaxy collection build --output-path "$root" > "$root/log" || { cat "$root/log"; exit 1; }
cd "$root"
export ANSIBLE_COLLECTIONS_PATH=$root
ansible-galaxy collection install --no-deps --offline "$root"/rayops-serve_ha-*.tar.gz > "$root/log" || { cat "$root/log"; exit 1; }
# Out of git's sight: of collections that lie in a repository, antsibull-docs takes only what git does not ignore.
GIT_DIR=/dev/null antsibull-docs lint-collection-docs --plugin-docs "$root/ansible_collections/rayops/serve_ha"
for playbook in site teardown head_failure_check; do
    ansible-playbook --inventory localhost, --syntax-check "rayops.serve_ha.$playbook"
done
