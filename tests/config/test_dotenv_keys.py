"""Keys in ``.env``: found under every name, and removed without touching another line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.config.dotenv_keys import keys_in_dotenv, without_lines
from ares.domain.api_key import ApiKey

TEXT = """# keys
export KRAKEN_API_KEY=kk
KRAKEN_API_SECRET='s = 1'
ALPACA_API_KEY=ak
ALPACA_API_SECRET=as
REHEARSAL_KRAKEN_2_READER_KEY=rk
REHEARSAL_KRAKEN_2_READER_SECRET="rs"
REHEARSAL_OWN_KEY=ok
REHEARSAL_OWN_SECRET=os
LIVE_WATCHDOG_KEY=lk
LIVE_WATCHDOG_SECRET=ls
BINANCE_API_KEY=half
ARES_RISK__DAILY_LOSS_LIMIT=0.03
OPENAI_API_KEY=not-of-a-venue
"""


def test_keys_are_found_under_their_names_in_the_key_file(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(TEXT)
    found, halves = keys_in_dotenv(path, "kraken")
    assert {each.name: (each.venue, each.key) for each in found} == {
        "live/kraken": ("kraken", ApiKey("kk", "s = 1")),
        "live/alpaca": ("alpaca", ApiKey("ak", "as")),
        "rehearsal/kraken-2-reader": ("kraken", ApiKey("rk", "rs")),
        "rehearsal/own": ("kraken", ApiKey("ok", "os")),
        "live/kraken-watchdog": ("kraken", ApiKey("lk", "ls")),
    }
    assert halves == ["BINANCE_API_KEY"]
    assert keys_in_dotenv(tmp_path / "none", "kraken") == ([], [])


def test_only_their_lines_are_removed(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(TEXT)
    found, _ = keys_in_dotenv(path, "kraken")
    left = without_lines(TEXT.encode(), {name for each in found for name in each.variables})
    assert left.decode().splitlines() == [
        "# keys",
        "BINANCE_API_KEY=half",
        "ARES_RISK__DAILY_LOSS_LIMIT=0.03",
        "OPENAI_API_KEY=not-of-a-venue",
    ]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (b"A=1\r\nB=2\r\nC=3", b"A=1\r\nC=3"),
        (b'B="one\ntwo"\nC=3\n', b"C=3\n"),
        (b"# B=1\nBB=1\n B = 2\n", b"# B=1\nBB=1\n"),
        (b"\xff=1\nB=2\n", b"\xff=1\n"),
        (b"", b""),
    ],
)
def test_other_lines_are_left_byte_by_byte(text: bytes, left: bytes) -> None:
    assert without_lines(text, {"B"}) == left
