"""Stopped stays stopped: the stop file, also on a full disk, damaged, or from elsewhere."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from ares.domain.errors import ExternalError, UserError
from ares.runtime.ops.stop_file import (
    BYTES,
    StopOrder,
    clear_stop,
    is_stopped,
    read_stop,
    reserve,
    stop_path,
    write_stop,
)

ORDER = StopOrder("id", "rehearsal/kraken", "0a0b0c0d", "ada", "news", 1, flatten=True)


def test_an_order_stands_until_it_is_cleared(tmp_path: Path) -> None:
    assert read_stop(tmp_path, "rehearsal/kraken") is None
    reserve(tmp_path)
    assert read_stop(tmp_path, "rehearsal/kraken") is None
    assert not is_stopped(tmp_path)
    write_stop(tmp_path, ORDER)
    assert read_stop(tmp_path, "rehearsal/kraken", "0a0b0c0d") == ORDER
    assert stop_path(tmp_path).stat().st_size == BYTES
    reserve(tmp_path)  # the next start
    assert is_stopped(tmp_path)
    assert clear_stop(tmp_path)
    assert not clear_stop(tmp_path)
    assert read_stop(tmp_path, "rehearsal/kraken") is None


def test_without_a_reserved_file_it_is_made(tmp_path: Path) -> None:
    write_stop(tmp_path, ORDER)
    assert read_stop(tmp_path, "rehearsal/kraken") == ORDER


def test_an_order_to_sell_is_not_replaced_by_one_that_keeps(tmp_path: Path) -> None:
    write_stop(tmp_path, ORDER)
    write_stop(tmp_path, msgspec.structs.replace(ORDER, id="later", flatten=False))
    assert read_stop(tmp_path, "rehearsal/kraken") == ORDER


def test_a_shorter_order_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    write_stop(tmp_path, msgspec.structs.replace(ORDER, reason="x" * 3_000))
    write_stop(tmp_path, ORDER)
    assert read_stop(tmp_path, "rehearsal/kraken") == ORDER
    write_stop(tmp_path, msgspec.structs.replace(ORDER, reason="x" * 9_000))
    found = read_stop(tmp_path, "rehearsal/kraken")
    assert found is not None
    assert len(found.reason) == 200


@pytest.mark.parametrize(
    ("environment", "owner"), [("live", "0a0b0c0d"), ("rehearsal/kraken", "ffffffff")]
)
def test_one_of_another_environment_is_refused_with_a_line(
    tmp_path: Path, environment: str, owner: str
) -> None:
    write_stop(tmp_path, ORDER)
    with pytest.raises(UserError, match="came from elsewhere, move it away"):
        read_stop(tmp_path, environment, owner)
    assert is_stopped(tmp_path), "nothing is changed"


def test_a_damaged_one_stops_too(tmp_path: Path) -> None:
    write_stop(tmp_path, ORDER)
    raw = bytearray(stop_path(tmp_path).read_bytes())
    raw[0] ^= 1
    stop_path(tmp_path).write_bytes(raw)
    assert is_stopped(tmp_path)
    with pytest.raises(ExternalError, match="damaged"):
        read_stop(tmp_path, "rehearsal/kraken")
    assert clear_stop(tmp_path)


def test_a_reserved_file_takes_an_order_where_no_file_may_grow(tmp_path: Path) -> None:
    """As on a full disk: what is reserved is written over, and nothing else can be written."""
    reserve(tmp_path)
    program = f"""
import resource, signal
from pathlib import Path
from ares.runtime.ops.stop_file import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({BYTES}, {BYTES}))
folder = Path({str(tmp_path)!r})
try:
    (folder / "other").write_bytes(b"x" * {BYTES + 1})
except OSError:
    write_stop(folder, StopOrder("id", "paper", "", "ada", "full", 1, True))
"""
    assert resource.RLIMIT_FSIZE
    subprocess.run([sys.executable, "-c", program], check=True)
    found = read_stop(tmp_path, "paper")
    assert found is not None
    assert found.reason == "full"
