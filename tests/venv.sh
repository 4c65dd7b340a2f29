#!/usr/bin/env bash
# Make a virtual environment: tests/venv.sh PYTHON DIRECTORY REQUIREMENTS-FILE...
# A directory with the file "ready" is complete; what an interrupted run left is made anew.
set -euo pipefail
python=$1 venv=$2
shift 2

mkdir -p "$(dirname "$venv")"
exec 9> "$venv.lock"
flock 9
[ ! -e "$venv/ready" ] || exit 0
echo "Making the virtual environment $venv"
rm -rf "$venv"
"$python" -m venv "$venv"
# A pip as old as Python's own takes minutes to resolve what a new one does in seconds.
"$venv/bin/pip" install --quiet --upgrade 'pip>=25.2'
"$venv/bin/pip" install --quiet "${@/#/--requirement=}"
touch "$venv/ready"
