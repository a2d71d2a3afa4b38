#!/bin/sh
# Sourced, with the virtual environment in $venv: the package index for uv.
#
# uv does not read pip's settings: hand it the index that pip is set up for. All is hash-checked,
# so it does not matter which index answers.
pip_setting() { "$venv/bin/python" -m pip config get "$1" 2>/dev/null || true; }
from_pip() { value=$(pip_setting ":env:.$1"); printf '%s' "${value:-$(pip_setting "global.$1")}"; }
index=$(from_pip index-url)
export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
[ -n "$UV_DEFAULT_INDEX" ] || unset UV_DEFAULT_INDEX
export UV_EXTRA_INDEX_URL="${UV_EXTRA_INDEX_URL:-$(from_pip extra-index-url)}"
export UV_FIND_LINKS="${UV_FIND_LINKS:-$(from_pip find-links | tr ' \n' ',,')}"
export UV_INDEX_STRATEGY=unsafe-best-match UV_SYSTEM_CERTS=true UV_NO_PROGRESS=true
export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-120}"
