#!/usr/bin/env bash
# All of ansible-test's sanity tests, without an ignore file, on the active virtual environment and then on the newest
# ansible-core.
# Usage: tests/sanity.sh [ansible-test sanity arguments]
# Runs on a copy, as ansible-test wants a path that ends in ansible_collections/rayops/serve_ha. It keeps virtual
# environments of its own in ~/.ansible/test: the first run takes minutes longer.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
copy=$root/ansible_collections/rayops/serve_ha
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard |
    tar --create --null --files-from - --ignore-failed-read | tar --extract --directory "$copy"

# ansible-test fetches pip's installer from a server of its own; this stands in for it, with the same pip from PyPI.
stand_in_for_pip_installer() { # PATH-OF-ANSIBLE-TEST
    local version wheels wheel installer
    version=$(sed -n "s/^ *pip='\(.*\)',$/\1/p" "$1/_internal/python_requirements.py")
    wheels=${XDG_CACHE_HOME:-$HOME/.cache}/rayops.serve_ha/wheels
    wheel=$wheels/pip-$version-py3-none-any.whl
    installer=$HOME/.ansible/test/cache/get_pip_${version//./_}.py
    [ ! -e "$installer" ] || [ ! -e "$wheel" ] || return 0
    python -m pip download --quiet --no-deps --dest "$wheels" "pip==$version"
    mkdir -p "$(dirname "$installer")"
    cat > "$installer" << EOF
import runpy
import sys

sys.path.insert(0, "$wheel")
options = [option for option in sys.argv[1:] if option not in ("--no-setuptools", "--no-wheel")]
sys.argv[1:] = ["install", "--no-index", "--find-links", "$wheels", *options]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
EOF
}

sanity() {
    local site
    site=$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "Sanity tests: $(python --version), ansible-core $(python -c 'import ansible; print(ansible.__version__)')"
    stand_in_for_pip_installer "$site/ansible_test"
    ln -sfn -t "$root/ansible_collections" "$site"/ansible_collections/{amazon,community,kubernetes}
    # A version by name: by default every Python on the path is tried, also those that are only names of a version manager.
    (cd "$copy" && ansible-test sanity --color no --python "$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" "$@")
}

sanity "$@"
newest=$(tests/newest.sh)
if [ -n "$newest" ]; then
    PATH=$newest/bin:$PATH sanity "$@"
fi
