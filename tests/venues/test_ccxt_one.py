"""One venue of ccxt alone: the same class, a third of the time, and errors that are its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from ares.venues.ccxt_one import import_one
import_one("{venue}")
import ccxt, ccxt.pro
from ccxt import NetworkError
from ares.venues.ccxt_setup import prepare
exchange = ccxt.pro.{venue}({{}})
prepare(exchange, "http://127.0.0.1:1")
assert issubclass(ccxt.ExchangeNotAvailable, NetworkError)
assert isinstance(exchange, ccxt.async_support.Exchange)
assert isinstance(exchange, ccxt.async_support.{venue})
assert not hasattr(ccxt, "nothing")
others = set("ccxt.bitfinex ccxt.pro.okx ccxt.coinbase".split()) & set(sys.modules)
assert not others, others
print(exchange.id)
"""


@pytest.mark.parametrize("venue", ["kraken", "binance", "alpaca"])
def test_one_venue_is_imported(venue: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM.format(venue=venue)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == (f"{venue}\n", 0), done.stderr


def test_where_ccxt_is_imported_nothing_changes() -> None:
    program = (
        "import ccxt.pro, sys\nfrom ares.venues.ccxt_one import import_one\n"
        "before = sys.modules['ccxt']\nimport_one('kraken')\n"
        "assert sys.modules['ccxt'] is before and ccxt.pro.okx"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)
