"""Candles in a store of their own, as the event-driven rows need them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.store.candles import CandleStore
from ares.store.database import open_database
from bench.bars import ROOT, bars_of

DECIMALS = {"BTC/USDT": (2, 5), "ETH/USDT": (2, 4), "SOL/USDT": (2, 2), "ADA/USDT": (4, 1)}


def spec_of(symbol: str) -> InstrumentSpec:
    """Return an instrument with its grid."""
    return InstrumentSpec(Instrument("binance", symbol), *DECIMALS[symbol])


@contextmanager
def stored(files: Mapping[str, Path], name: str) -> Iterator[tuple[Engine, CandleStore, Path]]:
    """Give a database, a store in it with the candles of ``files`` (by symbol), and a folder."""
    (ROOT / ".bench").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=ROOT / ".bench") as folder:
        engine = open_database(Path(folder) / "ares.db")
        store = CandleStore(engine, Path(folder) / "cache")
        for symbol, path in files.items():
            store.save(spec_of(symbol), "1m", bars_of(path), path.name)
        yield engine, store, Path(folder)
        engine.dispose()
