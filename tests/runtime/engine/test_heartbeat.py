"""A heartbeat is read as it was written; what is no heartbeat is none."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from ares.runtime.engine.heartbeat import (
    Heartbeat,
    keep_heartbeat,
    read_heartbeat,
    write_heartbeat,
)


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


def test_heartbeats_go_on_while_the_disk_does_not_take_them(tmp_path: Path) -> None:
    path, lines, calls = tmp_path / "logs" / "beat.json", list[str](), list[int]()
    path.parent.write_text("a file is in the way")

    def champions() -> dict[str, str]:
        calls.append(len(calls))
        if len(calls) == 3:
            path.parent.unlink()
        if len(calls) == 5:
            raise KeyError
        return {"binance:BTC/USDT": f"{len(calls)}"}

    with suppress(KeyError):
        asyncio.run(keep_heartbeat(path, "paper", champions, lines.append, lambda: 7_000_000, 0.0))
    assert read_heartbeat(path) == Heartbeat(7, os.getpid(), "paper", {"binance:BTC/USDT": "4"})
    assert [line.partition("(")[0].strip() for line in lines] == [
        f"heartbeat: {path} cannot be written", f"heartbeat: {path} is written again",
    ]  # fmt: skip
