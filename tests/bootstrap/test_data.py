"""Candles of a workspace: the database is closed whatever happens; a bad venue ends a fetch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import Engine

from ares.bootstrap.data import FetchRequest, candle_store, fetch_stored
from ares.config.workspace import Workspace
from ares.domain.errors import UserError

MakeWorkspace = Callable[..., Workspace]
OnPage = Callable[[float, str], None]


def test_the_store_is_that_of_the_workspace(workspace_of: MakeWorkspace) -> None:
    workspace = workspace_of(bars=5)
    with candle_store(workspace) as store:
        btc = store.resolve("BTC/USDT")
        assert len(store.load(btc, "1h")) == 5
    assert list(workspace.cache_dir.rglob("*.npz"))


def test_the_database_is_closed_after_an_error_too(
    workspace_of: MakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Engine] = []
    monkeypatch.setattr(Engine, "dispose", lambda engine, *_: closed.append(engine))
    with pytest.raises(RuntimeError), candle_store(workspace_of()):
        raise RuntimeError
    assert len(closed) == 1


@pytest.mark.parametrize("venue", ["nowhere", "bin ance"])
def test_an_unknown_venue_is_refused_before_any_request(
    workspace_of: MakeWorkspace, venue: str
) -> None:
    def progress(_symbol: str, _interval: str) -> AbstractContextManager[OnPage]:
        raise AssertionError("nothing may be fetched")

    request = FetchRequest((("BTC/USDT", "1h"),), None, None, venue, "http://127.0.0.1:9")
    with pytest.raises(UserError, match="venue"):
        fetch_stored(workspace_of(), request, progress, lambda _: None)
