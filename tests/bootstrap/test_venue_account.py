"""The account of a run at its venue: which server is asked, and with which key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ares.bootstrap.venue_account import required_key, venue_account
from ares.config.workspace import Workspace
from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.domain.instrument import Instrument
from ares.venues.ccxt_setup import SANDBOX
from ares.venues.kraken import KRAKEN

BTC = Instrument("kraken", "BTC/USDT")


@pytest.mark.parametrize(
    ("server", "host"),
    [(None, "https://api.kraken.com/"), ("http://127.0.0.1:9", "http://127.0.0.1:9/")],
)
def test_only_the_named_server_is_asked(
    server: str | None, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transport is replaced: nothing leaves."""
    import ccxt
    from ccxt.async_support import Exchange

    asked: list[str] = []

    async def noted(_self: Any, url: str, *_: Any, **__: Any) -> Any:
        asked.append(url)
        raise ccxt.ExchangeNotAvailable("no network")

    monkeypatch.setattr(Exchange, "fetch", noted)
    account = venue_account("kraken", ApiKey("k", "c2Vj"), server, KRAKEN.traits, binds=True)
    with pytest.raises(ExternalError, match="its markets were not read"):
        account.spec_of(BTC)
    assert asked
    assert all(url.startswith(host) for url in asked)


def test_venue_server_and_key_identify_an_account() -> None:
    keys, servers = (
        (ApiKey("a", "c2Vj"), ApiKey("b", "c2Vj")),
        (None, SANDBOX, "http://127.0.0.1:9"),
    )
    found = {
        venue_account(venue, key, server, KRAKEN.traits, binds=True).identity
        for venue in ("kraken", "binance")
        for key in keys
        for server in servers
    }
    assert len(found) == 12


def test_a_missing_key_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, _ = Workspace.init(tmp_path / "w")
    with pytest.raises(UserError, match=r"LIVE_KEY and LIVE_SECRET are not set, .*no key is"):
        required_key(workspace, "live")
    with pytest.raises(UserError, match="`ares sim serve` shows its keys"):
        required_key(workspace, "rehearsal/x")
    monkeypatch.setenv("LIVE_KEY", "k")
    monkeypatch.setenv("LIVE_SECRET", "s")
    assert required_key(workspace, "live") == ApiKey("k", "s")
