"""A heartbeat is read as it was written; what is no heartbeat is none."""

from __future__ import annotations

import os
from pathlib import Path

from ares.runtime.engine.heartbeat import Heartbeat, read_heartbeat, write_heartbeat


def test_a_heartbeat_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "run" / "heartbeat.json"
    write_heartbeat(path, "paper", {"binance:BTC/USDT": "abc"}, 5)
    write_heartbeat(path, "paper", {"binance:BTC/USDT": "def"}, 6)
    found = read_heartbeat(path)
    assert found == Heartbeat(6, os.getpid(), "paper", {"binance:BTC/USDT": "def"})
    assert [file.name for file in path.parent.iterdir()] == ["heartbeat.json"]


def test_a_missing_or_damaged_heartbeat_is_none(tmp_path: Path) -> None:
    assert read_heartbeat(tmp_path / "none") is None
    for content in (b"", b"{", b'{"at_ms": "soon"}'):
        (tmp_path / "damaged").write_bytes(content)
        assert read_heartbeat(tmp_path / "damaged") is None
