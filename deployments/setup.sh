#!/bin/sh
# Installs the locked environment into the folder named by $1.
# Finds the newest suitable Python by itself; PYTHON=/path/to/python overrides.
set -eu
venv=${1:?usage: setup.sh VENV}

suits() { "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

if [ -n "${PYTHON:-}" ]; then
    suits "$PYTHON" || { echo "setup: PYTHON=$PYTHON is not a Python 3.11 to 3.13 with venv and ensurepip" >&2; exit 1; }
    python=$PYTHON
else
    python=
    for candidate in python3.13 python3.12 python3.11 python3; do
        if suits "$candidate"; then python=$candidate; break; fi
    done
    if [ -z "$python" ]; then
        echo "setup: no Python 3.11 to 3.13 with venv and ensurepip found on PATH." >&2
        echo "       Install one (Debian and Ubuntu keep venv in the package python3-venv), or set PYTHON=/path/to/python." >&2
        exit 1
    fi
fi

echo "setup: $("$python" --version) into $venv (once)"
[ -x "$venv/bin/python" ] && suits "$venv/bin/python" || "$python" -m venv --clear "$venv"
if [ ! -x "$venv/bin/uv" ]; then
    uv_pin=$(sed -n 's/^\(uv==[0-9.]*\).*/\1/p' requirements.lock)
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$uv_pin"
fi
# Byte-compiled at install: a cold import of boto3 costs 1.4 s instead of 0.2. Behind a proxy with certificates of
# its own only the system's store knows them; on a bare machine there is no such store: hence the second try.
uv="$venv/bin/uv"
sync() { "$uv" pip sync --quiet --require-hashes --compile-bytecode --python "$venv/bin/python" "$@" requirements.lock; }
sync 2>"$venv/.sync-said" || sync --system-certs || { cat "$venv/.sync-said" >&2; exit 1; }
"$uv" pip install --quiet --no-deps --no-build-isolation --offline --python "$venv/bin/python" --editable .
