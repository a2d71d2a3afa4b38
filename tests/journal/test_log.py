"""The log: what was appended is read; damage is found at its byte; a crash costs its tail only."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares.domain.errors import ExternalError, UserError
from ares.domain.formats import JOURNAL_FORMAT, JOURNAL_FORMATS_READ
from ares.journal.log import HEAD, LENGTH_MASK, Reader, chain, genesis, read, segments
from ares.journal.writer import Writer

PAYLOADS = [b"one", b"", b"three" * 9, bytes(range(64)), b"\x00" * 40, b"last"]


def write(folder: Path, payloads: list[bytes], **options: Any) -> None:
    writer = Writer(folder, **options)
    for payload in payloads:
        writer.append(payload)
        if "segment_bytes_max" in options:
            writer.sync()  # a new file begins after a sync
    writer.close()


def one_file(folder: Path) -> Path:
    (path,) = segments(folder)
    return path


def one_line(error: BaseException) -> str:
    text = str(error)
    assert "\n" not in text
    return text


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=20), st.integers(0, 400), st.integers(0, 20))
def test_what_was_appended_is_read_in_order(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes], segment: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    write(folder, payloads[:cut], segment_bytes_max=segment)
    write(folder, payloads[cut:], segment_bytes_max=segment, sync_ms=0)
    assert list(read(folder)) == payloads


def test_an_empty_folder_is_an_empty_log(tmp_path: Path) -> None:
    assert list(read(tmp_path / "none")) == []
    write(tmp_path, [])
    assert list(read(tmp_path)) == []


def test_segments_roll_over_and_go_on(tmp_path: Path) -> None:
    write(tmp_path, PAYLOADS, segment_bytes_max=60)
    names = [path.name for path in segments(tmp_path)]
    assert len(names) > 2
    assert names == [f"{k:06d}.journal" for k in range(1, len(names) + 1)]
    write(tmp_path, [b"more"])
    assert list(read(tmp_path)) == [*PAYLOADS, b"more"]


def test_a_missing_or_moved_segment_is_found(tmp_path: Path) -> None:
    write(tmp_path, PAYLOADS, segment_bytes_max=60)
    first, second, *_ = segments(tmp_path)
    kept = first.read_bytes()
    first.unlink()
    with pytest.raises(ExternalError, match="damaged at byte 0"):
        list(read(tmp_path))
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    with pytest.raises(ExternalError, match="damaged at byte 0"):
        list(read(tmp_path))


def test_every_flipped_bit_is_found_at_its_record(tmp_path: Path) -> None:
    write(tmp_path, PAYLOADS)
    path = one_file(tmp_path)
    raw = path.read_bytes()
    starts = [0]
    for payload in PAYLOADS:
        starts.append(starts[-1] + HEAD.size + len(payload))
    for at in range(len(raw)):
        start = max(s for s in starts if s <= at)
        for bit in (0, 7):
            damaged = bytearray(raw)
            damaged[at] ^= 1 << bit
            path.write_bytes(damaged)
            with pytest.raises(ExternalError, match=f"damaged at byte {start}:"):
                list(read(tmp_path))
            with pytest.raises(ExternalError, match="damaged"):
                Writer(tmp_path)
            assert path.read_bytes() == damaged  # what is damaged is left for a person to see


@pytest.mark.parametrize("change", ["swap", "drop", "repeat", "insert"])
def test_records_cannot_be_moved(tmp_path: Path, change: str) -> None:
    write(tmp_path, [b"aaaa", b"bbbb", b"cccc", b"dddd"])
    path = one_file(tmp_path)
    raw, size = path.read_bytes(), HEAD.size + 4
    a, b, c, d = (raw[k * size : (k + 1) * size] for k in range(4))
    changed = {"swap": a + c + b + d, "drop": a + c + d, "repeat": a + a + b + c + d}
    write(tmp_path / "other", [b"zzzz"])
    changed["insert"] = a + one_file(tmp_path / "other").read_bytes() + b + c + d
    path.write_bytes(changed[change])
    with pytest.raises(ExternalError, match="damaged"):
        list(read(tmp_path))


def test_a_torn_tail_costs_only_the_record_that_was_not_finished(tmp_path: Path) -> None:
    write(tmp_path, PAYLOADS)
    path = one_file(tmp_path)
    raw = path.read_bytes()
    whole = len(raw) - HEAD.size - len(PAYLOADS[-1])
    for size in range(whole, len(raw)):
        path.write_bytes(raw[:size])
        assert list(read(tmp_path)) == PAYLOADS[:-1]
        write(tmp_path, [b"again", b"and on"])
        assert list(read(tmp_path)) == [*PAYLOADS[:-1], b"again", b"and on"]


def test_a_tail_can_be_torn_at_every_byte_of_a_journal(tmp_path: Path) -> None:
    write(tmp_path, PAYLOADS)
    path = one_file(tmp_path)
    raw = path.read_bytes()
    ends = [0]
    for payload in PAYLOADS:
        ends.append(ends[-1] + HEAD.size + len(payload))
    for size in range(len(raw) + 1):
        path.write_bytes(raw[:size])
        kept = sum(end <= size for end in ends[1:])
        assert list(read(tmp_path)) == PAYLOADS[:kept]


def test_zeros_where_a_record_was_to_come_are_a_torn_tail(tmp_path: Path) -> None:
    write(tmp_path, PAYLOADS)
    path = one_file(tmp_path)
    raw = path.read_bytes()
    for zeros in (1, HEAD.size, 4_096):
        path.write_bytes(raw + bytes(zeros))
        assert list(read(tmp_path)) == PAYLOADS
    write(tmp_path, [b"more"])
    assert list(read(tmp_path)) == [*PAYLOADS, b"more"]
    path.write_bytes(raw + bytes(50) + b"\x01")
    with pytest.raises(ExternalError, match="damaged"):
        list(read(tmp_path))


def test_zeros_from_a_sector_on_are_a_torn_tail(tmp_path: Path) -> None:
    """Power failed before the sectors of a group were written; the file had its size already."""
    payloads = [bytes([k + 1]) * 300 for k in range(8)]
    write(tmp_path, payloads)
    path = one_file(tmp_path)
    raw = path.read_bytes()
    size = HEAD.size + 300
    for sector in range(0, len(raw), 512):
        path.write_bytes(raw[:sector].ljust(len(raw), b"\0"))
        assert list(read(tmp_path)) == payloads[: sector // size]
        write(tmp_path, [b"more"])
        assert list(read(tmp_path)) == [*payloads[: sector // size], b"more"]
    write(tmp_path / "zeros", [b"x" * 10 + bytes(20)])
    path = one_file(tmp_path / "zeros")
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"xxxx", b"xxxy", 1))  # zeros, but of no sector
    with pytest.raises(ExternalError, match="damaged at byte 0"):
        list(read(tmp_path / "zeros"))


def test_a_torn_tail_before_the_last_segment_is_damage(tmp_path: Path) -> None:
    write(tmp_path, PAYLOADS, segment_bytes_max=60)
    path = segments(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ExternalError, match=f"{path.name} is damaged"):
        list(read(tmp_path))


def test_a_new_segment_torn_before_its_first_record_is_taken_up(tmp_path: Path) -> None:
    write(tmp_path, PAYLOADS, segment_bytes_max=60)
    last = segments(tmp_path)[-1]
    new = last.with_name(f"{int(last.stem) + 1:06d}.journal")
    new.write_bytes(b"\x05\x00")
    write(tmp_path, [b"more"])
    assert list(read(tmp_path)) == [*PAYLOADS, b"more"]
    assert segments(tmp_path)[-1] == new


def test_nothing_is_durable_before_sync_and_all_of_it_after(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.append(b"one")
    assert list(read(tmp_path)) == []
    writer.sync()
    writer.append(b"two")
    assert list(read(tmp_path)) == [b"one"]
    writer.close()
    assert list(read(tmp_path)) == [b"one", b"two"]


def test_a_quiet_journal_is_synced_when_its_time_has_come(tmp_path: Path) -> None:
    writer = Writer(tmp_path, sync_ms=5)
    for k in range(3):
        writer.append(b"x")
        end_s = time.monotonic() + 10
        while len(list(read(tmp_path))) < k + 1:  # nothing is appended meanwhile
            assert time.monotonic() < end_s
            time.sleep(0.001)
    writer.close()


def test_a_reader_sees_whole_records_of_a_large_unsynced_batch(tmp_path: Path) -> None:
    writer = Writer(tmp_path, sync_ms=10**9)
    for k in range(3_000):
        writer.append(k.to_bytes(4, "little") * 50)
    seen = list(read(tmp_path))
    assert 0 < len(seen) < 3_000
    assert seen == [k.to_bytes(4, "little") * 50 for k in range(len(seen))]
    writer.close()
    assert len(list(read(tmp_path))) == 3_000


def test_the_chain_goes_on_where_it_stopped(tmp_path: Path) -> None:
    write(tmp_path / "two", [b"a"])
    write(tmp_path / "two", [b"b"])
    write(tmp_path / "one", [b"a", b"b"])
    assert one_file(tmp_path / "two").read_bytes() == one_file(tmp_path / "one").read_bytes()
    writer = Writer(tmp_path / "one")
    assert writer.records == 2
    writer.close()
    other = Writer(tmp_path / "new")
    assert (other.records, other.head != writer.head) == (0, True)
    other.close()


LIMITED = """
import resource, sys
from pathlib import Path
from typing import Any
from ares.domain.errors import ExternalError
from ares.journal.writer import Writer
writer = Writer(Path(sys.argv[1]), sync_ms=0)
for k in range(10):
    writer.append(b"kept" + bytes([k]) * 100)
    writer.sync()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    for k in range(1000):
        writer.append(b"lost" * 50)
        writer.sync()
except ExternalError as trouble:
    print(trouble)
if sys.argv[3] == "room":
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
try:
    writer.append(b"behind the gap")
except ExternalError as trouble:
    print(trouble)
writer.close()
"""


@pytest.mark.parametrize("limit", [1_300, 1_301, 1_407, 2_000])
@pytest.mark.parametrize("then", ["full", "room"])
def test_a_full_disk_is_one_line_and_costs_nothing_that_was_there(
    tmp_path: Path, limit: int, then: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path), str(limit), then],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    first, second = done.stdout.splitlines()
    assert first.startswith("cannot write the journal")
    assert first.endswith("free disk space and start again")
    assert "start again" in second
    assert done.stderr == ""
    kept = list(read(tmp_path))
    assert kept[:10] == [b"kept" + bytes([k]) * 100 for k in range(10)]
    assert set(kept[10:]) <= {b"lost" * 50}  # nothing came behind the gap
    write(tmp_path, [b"room again"])
    assert list(read(tmp_path)) == [*kept, b"room again"]


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    write(tmp_path, PAYLOADS)
    path = one_file(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ExternalError, match="cannot read the journal") as raised:
        list(read(tmp_path))
    one_line(raised.value)


def write_by_hand(folder: Path, before: bytes, payloads: list[bytes]) -> None:
    """Write a journal whose chain begins with ``before``."""
    raw = b""
    for payload in payloads:
        before = chain(before, payload)
        raw += HEAD.pack(len(payload), len(payload) ^ LENGTH_MASK, before) + payload
    folder.mkdir()
    (folder / "000001.journal").write_bytes(raw)


@pytest.mark.parametrize(
    ("version", "advice"),
    [(1, "ares init DIR"), (2, "ares init DIR"), (JOURNAL_FORMAT + 1, "upgrade")],
)
def test_a_journal_of_another_format_is_refused_and_not_called_damaged(
    tmp_path: Path, version: int, advice: str
) -> None:
    folder = tmp_path / "a"
    before = hashlib.blake2b(f"ares journal {version}".encode(), digest_size=16).digest()
    write_by_hand(folder, before, [b"first", b"second"])
    raw = (folder / "000001.journal").read_bytes()
    for use in (lambda: list(read(folder)), lambda: Writer(folder)):
        with pytest.raises(UserError, match=advice) as caught:
            use()
        text = str(caught.value)
        assert text.startswith(f"journal {folder} has format {version}, written by a")
        assert f"reads format {JOURNAL_FORMAT}" in text
        assert "damaged" not in text
    assert (folder / "000001.journal").read_bytes() == raw


@pytest.mark.parametrize("version", JOURNAL_FORMATS_READ)
def test_a_journal_that_is_read_begins_with_its_genesis(tmp_path: Path, version: int) -> None:
    folder = tmp_path / "a"
    write_by_hand(folder, genesis(version), [b"first"])
    reader = Reader(folder)
    assert list(reader) == [b"first"]
    assert reader.version == version
    write(folder, [b"second"])  # its chain goes on
    assert list(read(folder)) == [b"first", b"second"]


def test_a_first_record_of_no_format_is_damaged(tmp_path: Path) -> None:
    write_by_hand(tmp_path / "a", b"\0" * 16, [b"first"])
    with pytest.raises(ExternalError, match="damaged at byte 0"):
        list(read(tmp_path / "a"))
