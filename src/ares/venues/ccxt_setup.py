"""What every use of ccxt shares: spot markets only, another address, an error as one line."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError

SANDBOX = "sandbox"
"""In the place of an address: the venue's own server on which no money is real."""


def prepare(exchange: Any, address: str | None) -> None:
    """Have an exchange load its spot markets only, and talk to ``address`` (scheme and host, or
    ``SANDBOX``).

    Its WebSockets go to the same host. Raises UserError where that is no address.
    """
    exchange.options["fetchMarkets"] = _spot_only(exchange.options)
    exchange.options["fetchMargins"] = False  # of Binance, where there is a key
    exchange.has["fetchCurrencies"] = False  # needs an API key on some venues
    _refuse_text(exchange)
    if address is None:
        return
    if address == SANDBOX:
        if not exchange.urls.get("test"):
            raise UserError(f"{exchange.id} has no sandbox")
        exchange.set_sandbox_mode(True)
        return
    api = exchange.urls["api"]
    scheme, separator, host = address.partition("://")
    if not separator or not host or scheme not in ("http", "https"):
        raise UserError(f"'{address}' is not an address: write http://HOST:PORT")
    rest = {name: url for name, url in api.items() if name != "ws"}
    exchange.urls["api"] = redirected(rest, address)
    if "ws" in api:
        sockets = redirected(api["ws"], f"{'wss' if scheme == 'https' else 'ws'}://{host}")
        if exchange.id.startswith("binance"):
            # ccxt tells spot from futures by "/stream" in the URL, which is the real one's host.
            sockets["spot"] = sockets["spot"].replace("/ws", "/stream/ws")
        exchange.urls["api"]["ws"] = sockets


KEYED_DATA = ("alpaca",)
"""Venues that list their markets, and stream their market data, to whoever has a key only."""


def data_credentials(venue: str, key: ApiKey | None) -> dict[str, str]:
    """Return what an exchange object for market data is made with: keys where they are needed."""
    if key is None or venue not in KEYED_DATA:
        return {}
    return {"apiKey": key.key, "secret": key.secret}


async def listed_markets(
    venue: str, address: str | None, key: ApiKey | None = None
) -> Mapping[str, Mapping[str, Any]]:
    """Return the markets that a venue lists, by symbol; key: of an account, see ``KEYED_DATA``.

    Raises ExternalError where it does not answer, UserError where ``address`` is none.
    """
    import ccxt.pro

    made_with = {"enableRateLimit": False, **data_credentials(venue, key)}
    exchange = getattr(ccxt.pro, venue)(made_with)
    try:
        prepare(exchange, address)
        listed: Mapping[str, Mapping[str, Any]] = await exchange.load_markets()
    except ccxt.BaseError as error:
        raise ExternalError(f"{venue}: its markets were not read: {line_of(error)}") from error
    finally:
        await exchange.close()
    return listed


def redirected(urls: Any, address: str) -> Any:
    """Return the venue's addresses with scheme and host replaced, paths kept."""
    if isinstance(urls, dict):
        return {name: redirected(url, address) for name, url in urls.items()}
    if isinstance(urls, list):
        return [redirected(url, address) for url in urls]
    scheme, host, *_ = urlsplit(address)
    if not scheme or not host:
        raise UserError(f"'{address}' is not an address: write http://HOST:PORT")
    return urlunsplit((scheme, host, *urlsplit(urls)[2:]))


def line_of(error: BaseException) -> str:
    """Return the error's kind and the start of its text, in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}" if text else type(error).__name__


def _refuse_text(exchange: Any) -> None:
    """Make an answer that is not JSON an error: ccxt reads it as an empty one."""
    import ccxt

    fetch = exchange.fetch

    def checked(answer: Any) -> Any:
        if isinstance(answer, str | bytes):
            text = answer if isinstance(answer, str) else answer.decode(errors="replace")
            raise ccxt.ExchangeNotAvailable(f"an answer is not JSON: {text[:60]!r}")
        return answer

    async def fetch_later(*args: Any, **kwargs: Any) -> Any:
        return checked(await fetch(*args, **kwargs))

    def fetch_now(*args: Any, **kwargs: Any) -> Any:
        return checked(fetch(*args, **kwargs))

    exchange.fetch = fetch_later if inspect.iscoroutinefunction(fetch) else fetch_now
    exchange.on_rest_response = _body_of


def _body_of(status: int, _reason: Any, _url: Any, _method: Any, _headers: Any, body: str,
             *_request: Any) -> str:  # fmt: skip
    """Return the body of an answer; of status 204 (done, nothing to say) an empty object."""
    return body.strip() or ("{}" if status == 204 else "")


def _spot_only(options: dict[str, Any]) -> Any:
    """Return the option with which a venue loads its spot markets only."""
    present = options.get("fetchMarkets")
    if isinstance(present, dict) and "types" in present:
        return {**present, "types": ["spot"]}
    return present
