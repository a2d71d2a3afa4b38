"""What is printed: JSON that every reader takes, tables that are never cut, progress beside it."""

from __future__ import annotations

import dataclasses
import json
import math
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.cli import output
from ares.domain.timeframe import Timeframe


class Struct(msgspec.Struct):
    net: float
    name: str = "s"


@dataclasses.dataclass
class Record:
    when: datetime
    where: Path


class Colour(Enum):
    RED = 1


def printed(value: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    output.print_json(value)
    return json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


def test_all_kinds_of_values_become_json(capsys: pytest.CaptureFixture[str]) -> None:
    value = {
        Timeframe.H1: Struct(math.nan),
        "record": Record(datetime(2023, 3, 16, tzinfo=UTC), Path("a/b")),
        "array": np.array([[1.5, np.inf], [np.nan, 2.0]], np.float32),
        "scalar": np.int64(7),
        "flag": np.bool_(True),
        "colour": Colour.RED,
        "pair": (1, None, True, "ü"),
    }
    assert printed(value, capsys) == {
        "1h": {"net": None, "name": "s"},
        "record": {"when": "2023-03-16T00:00:00Z", "where": "a/b"},
        "array": [[1.5, None], [None, 2.0]],
        "scalar": 7,
        "flag": True,
        "colour": 1,
        "pair": [1, None, True, "ü"],
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_plain_values_are_always_strict_json(value: Any) -> None:
    text = json.dumps(output.plain(value), allow_nan=False)
    assert json.loads(text) == output.plain(value)


def test_a_table_in_a_pipe_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    name = "binance:" + "X" * 100
    output.print_table(("name", "bars"), [(name, 5), ("[b]", None)], title="t", footer="[end]")
    shown = capsys.readouterr().out
    assert name in shown
    assert "[b]" in shown  # a name is text, never markup
    assert "–" in shown
    assert "[end]" in shown


def test_an_empty_table_shows_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("name", "bars"), [])
    assert "name" in capsys.readouterr().out


def test_an_error_is_one_line_and_without_colour_in_a_pipe(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.error_line("bars.csv\n  no column")
    shown = capsys.readouterr()
    assert shown.err == "ares: bars.csv no column\n"
    assert shown.out == ""


def test_progress_in_a_pipe_is_plain_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress("import", total=2, unit="files") as bar:
        bar.advance(remark="a.csv")
        bar.say("a.csv: skipped")
        bar.advance()
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert lines[0] == "import: started, 2 files"
    assert lines[1] == "a.csv: skipped"
    assert lines[2].startswith("import: done, 2 of 2 files (100%) in ")


def test_one_file_is_not_one_files(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress("import", total=1, unit="files") as bar:
        bar.say("a.csv: skipped")
    assert capsys.readouterr().err.splitlines()[0] == "import: started, 1 file"


def test_failed_progress_prints_how_far_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with output.progress("train", total=4) as bar:
            bar.reach(1)
            raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        fail()
    assert "train: stopped at 1 of 4 (25%)" in capsys.readouterr().err


def test_an_error_before_the_first_step_prints_no_progress(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        with output.progress("import", unit="files"):
            raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        fail()
    assert capsys.readouterr().err == ""


def test_an_interrupted_task_names_what_is_stored(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        with output.progress("import", total=9, unit="files", kept="they are stored") as bar:
            bar.reach(3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert line == "import: interrupted at 3 of 9 files (33%): they are stored"


def test_a_task_that_is_interrupted_at_once_names_nothing_as_stored(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt() -> None:
        with output.progress("train", unit="models", kept="these models are stored"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert line == "train: interrupted at 0 models: nothing is stored yet"


def test_a_task_without_progress_is_announced_after_a_second(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = ""
    limit_s = monotonic() + 30.0
    with output.progress("train", unit="models"):
        while not shown and monotonic() < limit_s:
            shown = capsys.readouterr().err
    assert shown == "train: started\n"


def test_progress_whose_total_is_set_later(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress("fetch", unit="bars") as bar:
        bar.expect(10)
        bar.advance(10)
    assert "10 of 10 bars (100%)" in capsys.readouterr().err


def test_progress_in_percent_is_one_number(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ares.cli.output.LINE_EVERY_S", 0.0)
    with output.progress("candles", total=100, unit="%") as bar:
        bar.reach(45)
        bar.reach(100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == ["candles: started", "candles: 45%", "candles: 100%"]
    assert lines[3].startswith("candles: done, 100% in ")
