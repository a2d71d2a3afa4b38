"""The candles of the benchmarks: real ones if available, else a simulated random walk."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl

from ares.kernel.bars import Bars

ROOT = Path(__file__).resolve().parent.parent
INPUT = ROOT / ".bench" / "input"
REAL_FILE = "binance/BTCUSDT_1m_20260301_20260531.parquet"
FOUR_FILES = "binance/{}_1m_202303_202305.parquet"
FOUR_SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "ADA/USDT")
MINUTE_MS = 60_000
SIMULATED_START_MS = 1_772_323_200_000  # 2026-03-01 00:00 UTC
SIMULATED_BARS = 132_480
PRICES = ("open", "high", "low", "close")


def data_folder() -> Path | None:
    """Return the folder of real candles (``ARES_DATA``, else ``../shared/data``), or None."""
    folder = Path(os.environ.get("ARES_DATA", ROOT / ".." / "shared" / "data")).resolve()
    return folder if (folder / REAL_FILE).is_file() else None


def source() -> str:
    """Return one sentence on which candles are used."""
    if data_folder() is None:
        return "simulated 1m bars (no real candles found: set ARES_DATA to use them)"
    return f"real candles: {REAL_FILE}"


def minutes(bars: int | None = None) -> Path:
    """Return a Parquet file of 1m bars ``ts, open, high, low, close, volume``.

    bars : number of bars; None: all of the real file. For more bars than there are, the candles are
           repeated, every second time in reverse, so that no seam is a jump in price.
    """
    folder = data_folder()
    if bars is None and folder is not None:
        return folder / REAL_FILE
    kind = "simulated" if folder is None else "btc"
    path = INPUT / f"{kind}_1m_{bars or SIMULATED_BARS}_past.parquet"
    if not path.exists():
        frame = _simulated() if folder is None else pl.read_parquet(folder / REAL_FILE)
        INPUT.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".tmp")
        _tiled(frame, bars or SIMULATED_BARS).write_parquet(unfinished, compression="lz4")
        unfinished.replace(path)
    return path


def four_instruments() -> dict[str, Path]:
    """Return minutes of four instruments over the same weeks, by symbol."""
    folder = data_folder()
    found = {
        symbol: (folder or INPUT) / FOUR_FILES.format(symbol.replace("/", ""))
        for symbol in FOUR_SYMBOLS
    }
    if all(path.is_file() for path in found.values()):
        return found
    return {symbol: minutes() for symbol in FOUR_SYMBOLS}


def columns(path: Path, bars_max: int | None = None) -> dict[str, np.ndarray]:
    """Return the columns of a file of bars, ``(n_bars,)`` each."""
    frame = pl.read_parquet(path)
    frame = frame if bars_max is None else frame.head(bars_max)
    return {name: frame[name].to_numpy() for name in ("ts", *PRICES, "volume")}


def bars_of(path: Path, bars_max: int | None = None) -> Bars:
    """Return the bars of a file in the kernel's form."""
    given = columns(path, bars_max)
    return Bars.make(*(given[name] for name in ("ts", *PRICES, "volume")))


def _tiled(frame: pl.DataFrame, bars: int) -> pl.DataFrame:
    """Return ``bars`` rows of the candles, repeated in alternating order on one minute grid that
    ends where the candles end: the importer refuses bars of the future.
    """
    tiles = -(-bars // len(frame))
    back = frame.reverse().rename({"open": "close", "close": "open"}).select(frame.columns)
    long = pl.concat([back if i % 2 else frame for i in range(tiles)]).head(bars)
    first_ms = int(frame["ts"][-1]) - (bars - 1) * MINUTE_MS
    return long.with_columns(ts=first_ms + pl.int_range(0, bars, dtype=pl.Int64) * MINUTE_MS)


def _simulated() -> pl.DataFrame:
    """Return a random walk in ticks of 0.01 with clustered volatility."""
    chance = np.random.default_rng(20260301)
    n = SIMULATED_BARS
    volatility = 6e-4 * np.exp(0.5 * np.sin(np.arange(n) / 700.0) + 0.3 * chance.normal(size=n))
    close = np.round(70_000 * np.exp(np.cumsum(volatility * chance.standard_t(5, n))), 2)
    open_quote = np.concatenate(([70_000.0], close[:-1]))
    wick = np.abs(chance.normal(size=(2, n))) * volatility * close
    return pl.DataFrame(
        {
            "ts": SIMULATED_START_MS + np.arange(n) * MINUTE_MS,
            "open": open_quote,
            "high": np.round(np.maximum(open_quote, close) + wick[0], 2),
            "low": np.round(np.minimum(open_quote, close) - wick[1], 2),
            "close": close,
            "volume": np.round(chance.lognormal(1.5, 1.0, n), 5),
        }
    )
