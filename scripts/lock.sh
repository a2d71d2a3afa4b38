#!/bin/sh
# Make requirements/*.lock again from pyproject.toml, with the uv of the virtual environment $1.
#
# Further arguments go to uv. An upgrade takes no release younger than 14 days: a malicious release is
# mostly found within days. It needs an index that tells the upload times; where a package comes
# without one, nothing is changed. --fork-strategy fewest: one version of each package for all
# supported versions of Python.
set -eu
cd "$(dirname "$0")/.."
uv=$1/bin/uv
shift

say() { printf 'lock: %s\n' "$*" >&2; }

age=
for argument in "$@"; do
    case $argument in
    -U* | -P* | --upgrade*) age="14 days" ;;
    esac
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
compile() {
    name=$1
    shift
    cp "requirements/$name.lock" "$work/"
    "$uv" pip compile --no-progress --universal --fork-strategy fewest --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-annotate --no-header pyproject.toml \
        ${age:+--exclude-newer "$age"} "$@" -o "$work/$name.lock" >/dev/null 2>"$work/log" ||
        failed=yes
    missing=$(grep -c 'missing an upload date' "$work/log" || true)
    if [ "$missing" != 0 ]; then
        say "the index has no upload times for $missing packages, so their age is unknown: nothing upgraded"
        exit 1
    fi
    if [ -n "${failed:-}" ]; then
        cat "$work/log" >&2
        exit 1
    fi
}
compile dev --group dev "$@"
compile run "$@"
cp "$work/dev.lock" "$work/run.lock" requirements/
