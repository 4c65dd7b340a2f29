#!/usr/bin/env bash
# Print the path of a virtual environment with the newest ansible-core that requirements.txt knows, which wants
# Python >= 3.12; make it if there is none. Prints nothing, and says why, if the active one is such or no Python is found.
set -euo pipefail
cd "$(dirname "$0")/.."

is_new='import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 12))'
if python -c "$is_new"; then
    echo "This is the newest ansible-core already; 2.19 is tested where the environment is made with Python 3.11." >&2
    exit 0
fi
# Running it is the only proof: version managers put names on the path that do not run.
for python in python3.13 python3.12 "$HOME"/.pyenv/versions/3.13*/bin/python "$HOME"/.pyenv/versions/3.12*/bin/python; do
    if "$python" -c "$is_new" 2> /dev/null; then
        digest=$({ "$python" -VV; cat requirements.txt test-requirements.txt tests/venv.sh; } | sha256sum | cut -c1-12)
        venv=${XDG_CACHE_HOME:-$HOME/.cache}/rayops.serve_ha/venv-$digest
        tests/venv.sh "$python" "$venv" requirements.txt test-requirements.txt >&2
        echo "$venv"
        exit 0
    fi
done
echo "NOT RUN on the newest ansible-core: it needs Python 3.12 or 3.13 (with venv), and none was found." >&2
