"""Commands and options of other tools, answered with those of Ares."""

from __future__ import annotations

import re

COMMANDS = {
    "backtesting": "`ares backtest`",
    "convert-data": "files of every format are taken as they are: `ares data import`",
    "dry-run": "`ares run --env paper`: real data, virtual money",
    "download-data": "`ares data fetch -s BTC/USDT -i 5m --from 2024-01-01`",
    "edge": "`ares models validate`",
    "hyperopt": "`ares sweep`",
    "import-candles": "`ares data import` or `ares data fetch`",
    "list-data": "`ares data list`",
    "list-exchanges": "any name of ccxt is a venue: `ares data fetch --venue NAME`",
    "list-pairs": "`ares data list` for stored candles; `ares config show` for the symbols",
    "list-strategies": "`ares models list`",
    "live": "`ares run --env live`; `ares run --env paper` runs on real data with virtual money",
    "lookahead-analysis": "`ares models validate`: its first lines test for look-ahead leakage",
    "new-config": "`ares init`",
    "new-strategy": "`ares models add FILE:NAME` (docs/STRATEGIES.md)",
    "phase1": "phase 1 is `ares run --env paper`; `ares deploy install` puts a model into service",
    "phase3": "`ares run --env live`; `ares deploy install` puts a model into service",
    "plot-dataframe": "`ares backtest --report out.html`",
    "plot-profit": "`ares backtest --report out.html`",
    "show-trades": "`ares runs show`, `ares runs report`",
    "trade": "`ares run --env paper`: real data, virtual money",
    "walk-forward": "`ares train`, which walks forward, and `ares models validate`",
}

OPTIONS = {
    "--config": "settings are in ares.yaml: `ares config show`",
    "--datadir": "`ares data import FOLDER`",
    "--dry-run": "`ares run --env paper`",
    "--dry-run-wallet": "--cash 10000",
    "--exchange": "--venue binance",
    "--export": "--report out.html, --csv trades.csv",
    "--force-price-only": "`ares train --price-only`",
    "--live": "real money comes later; `ares run --env paper` runs on real data",
    "--pair": "--symbol BTC/USDT",
    "--pairs": "-s BTC/USDT -s ETH/USDT",
    "--paper-trading": "`ares run --env paper`",
    "--phase": "phase 1 is `ares run --env paper`; `ares deploy install` puts a model into service",
    "--stake-amount": "--size 0.5 (units), or --position-cap 10%",
    "--strategy-path": "--strategy FILE:NAME",
    "--timeframe": "--interval 1h",
    "--timerange": "--from 2024-01-01 --to 2024-02-01",
}

VALUES = {
    "ml_basic": "`ares backtest` alone: the champion, else the newest model",
}


def hint_of(message: str) -> str:
    """Return what Ares calls the words in an error's message; empty where it knows none.

    >>> hint_of("No such option: --timerange")
    'write --from 2024-01-01 --to 2024-02-01'
    >>> hint_of("No such command 'download-data'.")
    'write `ares data fetch -s BTC/USDT -i 5m --from 2024-01-01`'
    """
    option = re.search(r"No such option:? '?(--[\w-]+)", message)
    command = re.search(r"No such command '([\w-]+)'", message)
    value = re.search(r"'([\w-]+)'", message)
    found = OPTIONS.get(option[1], "") if option else ""
    if command:
        found = COMMANDS.get(command[1], "")
    if not found and value:
        found = VALUES.get(value[1], "")
    if not found:
        return ""
    return found if found[0] not in "`-" else f"write {found}"
