"""A log file of lines: timed, bounded, harmless when the disk is not there."""

from __future__ import annotations

import re
from pathlib import Path

from ares.adapters.log_file import FILES_KEPT, log_lines


def test_lines_have_their_time(tmp_path: Path) -> None:
    with log_lines(tmp_path / "logs" / "paper.log") as write:
        write("paper begins 100%")
    (line,) = (tmp_path / "logs" / "paper.log").read_text().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z paper begins 100%", line)


def test_it_does_not_grow_without_bound(tmp_path: Path) -> None:
    with log_lines(tmp_path / "paper.log", bytes_max=1_000) as write:
        for k in range(1_000):
            write(f"line {k}")
    files = list(tmp_path.glob("paper.log*"))
    assert len(files) == FILES_KEPT + 1
    assert sum(path.stat().st_size for path in files) < 7_000
    assert (tmp_path / "paper.log").read_text().rstrip().endswith("line 999")


def test_a_folder_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    with log_lines(folder / "paper.log") as write:
        folder.rmdir()
        write("lost")
