"""The cache of columns: the bars of a version exactly, or nothing; a bad disk is no error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ares.domain.instrument import Instrument
from ares.kernel.bars import Bars
from ares.store.cache import ColumnCache

BTC, ETH = Instrument("binance", "BTC/USDT"), Instrument("binance", "ETH/USDT")


def bars(n: int = 200) -> Bars:
    close = 100.0 + np.random.default_rng(n).random(n)
    return Bars.make(np.arange(n) * 60_000, close, close, close, close, close)


@pytest.fixture
def cache(tmp_path: Path) -> ColumnCache:
    return ColumnCache(tmp_path)


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "candles").iterdir())


def test_only_the_version_that_was_written_is_read(cache: ColumnCache) -> None:
    assert cache.read(BTC, "1m", "a") is None
    cache.write(BTC, "1m", "a", bars())
    read = cache.read(BTC, "1m", "a")
    assert read is not None
    assert read.hash == bars().hash
    for instrument, interval, version in ((BTC, "1m", "b"), (BTC, "5m", "a"), (ETH, "1m", "a")):
        assert cache.read(instrument, interval, version) is None


def test_a_new_version_replaces_the_old_one_of_its_series_only(
    cache: ColumnCache, tmp_path: Path
) -> None:
    for instrument, interval in ((BTC, "1m"), (BTC, "15m"), (ETH, "1m")):
        cache.write(instrument, interval, "old", bars())
    cache.write(BTC, "1m", "new", bars(3))
    assert cache.read(BTC, "1m", "old") is None
    assert cache.read(BTC, "15m", "old") is not None
    assert cache.read(ETH, "1m", "old") is not None
    assert len(files(tmp_path)) == 3


@pytest.mark.parametrize("harm", ["empty", "cut", "flipped", "other", "column"])
def test_a_damaged_file_is_not_read(cache: ColumnCache, tmp_path: Path, harm: str) -> None:
    cache.write(BTC, "1m", "a", bars())
    (file,) = files(tmp_path)
    content = bytearray(file.read_bytes())
    if harm == "flipped":
        content[len(content) // 2] ^= 1
    elif harm == "column":
        np.savez(file, ts_ms=np.arange(3))
        content = bytearray(file.read_bytes())
    file.write_bytes({"empty": b"", "cut": bytes(content[:900]), "other": b"x" * 900}.get(
        harm, bytes(content)
    ))  # fmt: skip
    assert cache.read(BTC, "1m", "a") is None


def test_a_disk_that_takes_nothing_is_ignored_and_leaves_no_part(tmp_path: Path) -> None:
    (tmp_path / "candles").write_text("in the way")
    cache = ColumnCache(tmp_path)
    cache.write(BTC, "1m", "a", bars())
    assert cache.read(BTC, "1m", "a") is None
    assert [path.name for path in tmp_path.iterdir()] == ["candles"]
