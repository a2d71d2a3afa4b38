#!/bin/sh
# Make the virtual environment $1 from requirements/dev.lock, on a machine that has only Python.
#
# Everything that is fetched is pinned by hash, uv and the build backend included, and comes from
# the package index that pip is set up for on this machine. Run again, it only brings up to date.
set -eu
unset PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV || true
export PIP_DISABLE_PIP_VERSION_CHECK=1 DEBIAN_FRONTEND=noninteractive
cd "$(dirname "$0")/.."
venv=$1
lock=requirements/dev.lock

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Install a Debian package where we may, else say the one command that a person has to run.
need() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing $1"
        { apt-get install -y -qq "$1" || { apt-get update -qq && apt-get install -y -qq "$1"; }; } \
            </dev/null >&2 || fail "could not install $1: run 'apt-get install $1', then make again"
    else
        fail "$1 is missing: run 'sudo apt-get install -y $1', then make again"
    fi
}

# Print the version and the path of the Python to use: the one that PYTHON names, else the first.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        ./scripts/find_python.sh "$PYTHON" && return
        fail "PYTHON=$PYTHON is no Python 3.11 or newer: name another, or none"
    fi
    for name in python3.11 python3.12 python3.13 python3.14 python3 python; do
        ./scripts/find_python.sh "$name" && return
    done
    fail "Python 3.11 or newer is needed: install it, or name one: make PYTHON=/path/to/python3.11"
}

# Is $venv a virtual environment that works, of the version that PYTHON asks for?
is_usable() {
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 || return 1
    [ -n "${PYTHON:-}" ] || return 0
    [ "$(./scripts/find_python.sh "$venv/bin/python" | cut -d' ' -f1)" = "${found%% *}" ]
}

found=
[ -z "${PYTHON:-}" ] || found=$(find_python)
if ! is_usable; then
    found=${found:-$(find_python)}
    version=${found%% *} python=${found#* }
    "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || need "python$version-venv"
    say "making $venv with Python $version"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi

# uv, by its hashes in the lock.
if ! "$venv/bin/uv" --version >/dev/null 2>&1; then
    awk '/^[^ ]/ {keep = /^uv==/} keep' "$lock" >"$venv/uv.lock"
    "$venv/bin/python" -m pip install -q --no-deps --require-hashes -r "$venv/uv.lock" </dev/null
fi

. ./scripts/index.sh

say "installing $(grep -c '==' "$lock") pinned packages"
"$venv/bin/uv" pip install -q --python "$venv/bin/python" --require-hashes --compile-bytecode \
    -r "$lock" </dev/null || {
    say "uv could not install them, trying pip"
    "$venv/bin/python" -m pip install -q --no-deps --require-hashes -r "$lock" </dev/null
}
"$venv/bin/python" -m pip install -q --no-deps --no-build-isolation --no-index -e . </dev/null
# -S: this start of Python does not run them.
"$venv/bin/python" -I -S scripts/check_pth.py "$venv" "$lock" || exit 1

# LightGBM needs the OpenMP runtime of the system.
"$venv/bin/python" -c 'import lightgbm' >/dev/null 2>&1 || {
    [ "$(uname)" = Linux ] && need libgomp1
    "$venv/bin/python" -c 'import lightgbm' || fail "LightGBM does not load (see above)"
}
# The test of deploy/ares.service asks systemd itself; elsewhere that test is skipped, and says why.
if [ "$(uname)" = Linux ] && ! command -v systemd-analyze >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        (need systemd) || say "going on without systemd-analyze"
    else
        say "no systemd-analyze here: one test is skipped ('sudo apt-get install -y systemd')"
    fi
fi
say "compiling the kernel, once for this version (about a minute)"
"$venv/bin/python" -W ignore scripts/compile_kernel.py </dev/null >/dev/null ||
    say "not compiled: the first command that needs it does it"
say "ready: $venv/bin/ares --help"
