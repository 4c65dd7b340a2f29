#!/usr/bin/env bash
# The unit tests, on the active virtual environment and then on the newest ansible-core.
# Usage: tests/units.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."

# This checkout as ansible_collections/rayops/serve_ha; the other collections come with the ansible package.
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/ansible_collections/rayops"
ln -s "$PWD" "$root/ansible_collections/rayops/serve_ha"
export PYTHONPATH=$root ANSIBLE_COLLECTIONS_PATH=$root PYTHONDONTWRITEBYTECODE=1

units() {
    echo "Unit tests: $(python --version), ansible-core $(python -c 'import ansible; print(ansible.__version__)')"
    python -m pytest --numprocesses auto -p no:cacheprovider "$@"
}

units "$@"
newest=$(tests/newest.sh)
if [ -n "$newest" ]; then
    PATH=$newest/bin:$PATH units "$@"
fi
