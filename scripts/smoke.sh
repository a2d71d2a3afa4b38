#!/bin/sh
# Show in a few minutes that Ares works in the virtual environment $1 as it does in $2: every module
# imports, a market goes from candles to a certified run, the hashes of the code are the same.
set -eu
cd "$(dirname "$0")/.."
bin=$PWD/$1/bin
reference=$PWD/${2:-.venv}/bin

say() { printf 'smoke: %s\n' "$*"; }

hashes() {
    "$1/python" -W ignore -c '
from ares.runtime.engine.code_version import code_hashes
print(*sorted(code_hashes().items()), sep="\n")'
}

say "$("$bin/python" --version): importing every module"
"$bin/python" -W error -c '
import importlib, pkgutil, ares
for module in pkgutil.walk_packages(ares.__path__, "ares."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)'
"$bin/ares" --help >/dev/null

if [ -x "$reference/python" ]; then
    say "comparing the hashes of the code with $("$reference/python" --version)"
    here=$(hashes "$bin")
    there=$(hashes "$reference")
    [ "$here" = "$there" ] || {
        say "the hashes of the code differ"
        printf '%s\n--- and with %s:\n%s\n' "$here" "$reference" "$there"
        exit 1
    }
fi

say "a synthetic market: candles, training, backtest, run, certificate"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
"$bin/ares" init "$folder/market" >/dev/null
cd "$folder/market"
cat >ares.yaml <<'SETTINGS'
venue: simulated
symbols: [BTC/USDT]
timeframes: {intervals: [{interval: 1h, weight: 1.0}]}
SETTINGS
ares() { "$bin/ares" "$@" >"$folder/output" 2>&1 || { cat "$folder/output"; say "failed: ares $*"; exit 1; }; }
ares sim candles candles.parquet --years 0.4 --seed 20001
ares data import candles.parquet --venue simulated --symbol BTC/USDT --interval 1h
ares train --to 2020-04-15
ares backtest -s BTC/USDT --from 2020-05-01 --to 2020-05-10
ares backtest -s BTC/USDT --from 2020-05-01 --to 2020-05-10 --baseline sma_cross
ares run --env history --from 2020-05-01 --to 2020-05-10 --speed max
ares certify
ares restep
say "passed"
