"""Addresses of ccxt's exchanges, replaced; an error in one line."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from ares.domain.api_key import ApiKey
from ares.domain.errors import UserError
from ares.venues.ccxt_setup import SANDBOX, data_credentials, line_of, prepare, redirected


def test_every_address_gets_another_host_and_keeps_its_path() -> None:
    import ccxt.pro

    kraken = ccxt.pro.kraken()
    prepare(kraken, "http://127.0.0.1:1")
    assert kraken.urls["api"]["public"] == "http://127.0.0.1:1"
    assert kraken.urls["api"]["ws"]["publicV2"] == "ws://127.0.0.1:1/v2"
    binance = ccxt.pro.binance()
    prepare(binance, "https://h:2")
    assert binance.urls["api"]["public"] == "https://h:2/api/v3"
    assert binance.urls["api"]["ws"]["spot"] == "wss://h:2/stream/ws"
    assert binance.options["fetchMarkets"]["types"] == ["spot"]


def test_a_wrong_address_is_refused() -> None:
    import ccxt.pro

    for wrong in ("localhost:1", "ftp://x", "http://"):
        with pytest.raises(UserError, match="http://HOST:PORT"):
            prepare(ccxt.pro.kraken(), wrong)
    with pytest.raises(UserError, match="is not an address"):
        redirected("https://x/y", "x")


def test_an_error_is_one_line() -> None:
    assert line_of(ValueError("a\n  b" + "c" * 500)).startswith("ValueError: a bccc")
    assert len(line_of(ValueError("c" * 500))) < 200
    assert line_of(ValueError()) == "ValueError"


def test_an_answer_that_is_not_json_is_an_error_and_not_an_empty_answer() -> None:
    import ccxt

    kraken = ccxt.kraken()
    kraken.fetch = lambda *_args, **_more: "<html>"
    prepare(kraken, None)
    with pytest.raises(ccxt.ExchangeNotAvailable, match="not JSON: '<html>'"):
        kraken.fetch_ohlcv("BTC/USD")


def hosts(urls: object) -> set[str]:
    """Return the hosts of addresses, however deep they stand."""
    if isinstance(urls, dict):
        return set().union(*(hosts(url) for url in urls.values()))
    return {urlsplit(str(urls)).hostname or ""}


def test_in_the_sandbox_no_order_goes_to_the_real_server() -> None:
    import ccxt.pro

    binance = ccxt.pro.binance()
    real = {binance.urls["api"][name] for name in ("public", "private")}
    prepare(binance, SANDBOX)
    assert not real & {binance.urls["api"][name] for name in ("public", "private")}
    assert hosts({name: binance.urls["api"][name] for name in ("public", "private")}) == {
        "testnet.binance.vision"
    }
    assert "testnet" in next(iter(hosts(binance.urls["api"]["ws"]["spot"])))
    alpaca = ccxt.pro.alpaca()
    prepare(alpaca, SANDBOX)
    assert alpaca.urls["api"]["trader"] == "https://paper-api.{hostname}"
    with pytest.raises(UserError, match="kraken has no sandbox"):
        prepare(ccxt.pro.kraken(), SANDBOX)


def test_keys_go_only_to_venues_that_give_market_data_to_nobody_else() -> None:
    key = ApiKey("k", "s")
    assert data_credentials("alpaca", key) == {"apiKey": "k", "secret": "s"}
    assert data_credentials("kraken", key) == data_credentials("alpaca", None) == {}
