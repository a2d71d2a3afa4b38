"""What ``ares news`` shows: why items were not used, and whether models see sentiment now."""

from __future__ import annotations

import pytest

from ares.cli.news_views import HEADLINE_WIDTH, show_check, show_import, show_newest
from ares.domain.news import NewsRow
from ares.observe.news_check import SourceChecked
from ares.runtime.ingest.news_import import NewsImported, NewsReport
from ares.store.news import NewsSource

T = 1_679_004_900_000  # 2023-03-16 22:15
SOURCE = NewsSource("wire", "", ("vader",), 10, 9, 0, 0, T, T, 7_200_000, T)


def imported(name: str, **parts: object) -> NewsImported:
    values: dict[str, object] = dict.fromkeys(NewsImported.__struct_fields__, 0) | {
        "name": name, "skipped": {}, "first_ms": T, "last_ms": T,
    }  # fmt: skip
    return NewsImported(**(values | parts))  # type: ignore[arg-type]


def test_reasons_are_summed_over_files_the_most_frequent_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = (
        imported("a.csv", new=3, skipped={"no time": 1, "no headline": 2}, dated=1),
        imported("b.csv", new=1, skipped={"no time": 4}, differing=2),
    )
    show_import(NewsReport(files, ("notes.txt",), (("c.csv", "c.csv: damaged"),)))
    out, err = capsys.readouterr()
    assert "4 new rows from 2 sources" in out
    assert [line for line in err.splitlines() if line.startswith("skipped: ")] == [
        "skipped: 5 items with no time",
        "skipped: 2 items with no headline",
        "skipped: 1 file: notes.txt",
    ]
    assert "dated: 1 item without a time of day: known at the end of the day" in err
    assert "kept: 2 rows with the score stored before" in err
    assert "refused: c.csv: damaged" in err


def test_a_row_without_headline_or_scope_is_shown_as_such(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_newest(
        [NewsRow(T, "wire", "", 0.25, "file"), NewsRow(T, "wire", "BTC", -1.0, "file", "x" * 200)]
    )
    out = capsys.readouterr().out
    assert "market" in out
    assert "–" in out
    assert "x" * HEADLINE_WIDTH in out.replace("\n", "")
    assert "x" * (HEADLINE_WIDTH + 1) not in out


def test_the_result_of_a_check_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    checked = SourceChecked(SOURCE, True, 3.0, False, None, ("scored by several scorers",))
    show_check([checked], ok=True)
    out = capsys.readouterr().out
    assert "wire (market): scored by several scorers" in out
    assert "fresh: models see sentiment now" in out
    show_check([checked], ok=False)
    assert "no source that counts is fresh" in capsys.readouterr().out
