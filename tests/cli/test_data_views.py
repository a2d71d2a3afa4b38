"""What ``ares data`` shows: totals, the first findings, and how many there are in all."""

from __future__ import annotations

import json

import pytest

from ares.cli.data_views import (
    FINDINGS_SHOWN,
    checked_json,
    import_json,
    series_json,
    show_check,
    show_import,
)
from ares.domain.instrument import Instrument
from ares.domain.timeframe import MINUTE_MS
from ares.observe.candle_check import Finding, Kind, SeriesCheck
from ares.runtime.ingest.candle_import import ImportedFile, ImportReport
from ares.store.candles import Conflict, Series

BTC = Instrument("binance", "BTC/USDT")
T = 1_679_004_900_000  # 2023-03-16 22:15
SERIES = Series(BTC, "1m", 1_000, T, T + 999 * MINUTE_MS)


def imported(**parts: object) -> ImportedFile:
    values: dict[str, object] = {
        "name": "a.csv", "instrument": BTC, "interval": "1m", "rows": 10, "new": 5, "same": 4,
        "repeated": 0, "conflict_count": 0, "conflicts": (), "from_ms": T, "to_ms": T,
        "gaps": 0, "missing": 0, "first_gap_ms": None,
    }  # fmt: skip
    return ImportedFile(**(values | parts))  # type: ignore[arg-type]


def findings(kind: Kind, n: int) -> tuple[Finding, ...]:
    return tuple(
        Finding(BTC, "1m", kind, T + k * MINUTE_MS, T + (k + 2) * MINUTE_MS, 2) for k in range(n)
    )


def test_a_series_ends_where_its_last_bar_ends() -> None:
    shown = series_json(SERIES)
    assert (shown["from"], shown["to"]) == ("2023-03-16 22:15", "2023-03-17 14:55")


def test_the_first_conflicts_are_listed_and_all_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    conflict = Conflict(BTC, "1m", T, "close", 100.0, 100.5, "a.csv", "b.csv")
    file = imported(conflicts=(conflict,) * 5, conflict_count=12)
    show_import(ImportReport((file,), (), ()))
    err = capsys.readouterr().err
    assert err.count("close 100 kept (a.csv), 100.5 refused (b.csv)") == FINDINGS_SHOWN
    assert "conflict: a.csv: 12 bars in total" in err


def test_the_total_names_what_was_dropped_skipped_and_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = tuple(f"{k}.txt" for k in range(14))
    report = ImportReport(
        (
            imported(repeated=1),
            imported(name="b.csv", new=1_200, gaps=1, missing=3, first_gap_ms=T),
        ),
        names,
        (("c.csv", "c.csv, line 2: low is 0"),),
        (("d.csv", "d.csv: a derivative"),) * 13,
    )
    show_import(report)
    out, err = capsys.readouterr()
    assert "1,205 new bars from 2 files; 1 repeated row dropped" in out
    assert "14 files without candles skipped: 0.txt, 1.txt, " in out
    assert "11.txt, …" in out
    assert "1 file refused (below); 13 files not used (below)" in out
    assert err.count("not used: d.csv: a derivative") == 12
    assert "not used: 1 more (--json lists all)" in err
    assert "gap: 3 bars missing in b.csv, first binance:BTC/USDT 1m at 2023-03-16 22:15" in err
    assert "refused: c.csv, line 2: low is 0" in err
    content = import_json(report)
    assert (content["new"], content["same"], content["refused"][0]["file"]) == (1_205, 8, "c.csv")
    json.dumps(content)


def test_all_errors_are_in_the_json_and_of_other_findings_the_first() -> None:
    check = SeriesCheck(SERIES, (*findings(Kind.GAP, 5), *findings(Kind.OHLC, 5)))
    found = checked_json(check, every=False)["findings"]
    assert (found["gap"]["count"], found["gap"]["bars"]) == (5, 10)
    assert len(found["gap"]["shown"]) == FINDINGS_SHOWN
    assert len(found["ohlc"]["shown"]) == 5
    assert (found["gap"]["error"], found["ohlc"]["error"]) == (False, True)
    assert len(checked_json(check, every=True)["findings"]["gap"]["shown"]) == 5


def test_a_check_counts_what_it_does_not_list_and_names_the_remedy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    check = SeriesCheck(SERIES, findings(Kind.GAP, 5))
    show_check([check], every=False, errors=0)
    out = capsys.readouterr().out
    assert ", and 2 more" in out
    assert "no errors; gaps" in out
    show_check([check], every=True, errors=1)
    out = capsys.readouterr().out
    assert " more" not in out
    assert "1 error found: correct it before you use these candles" in out
    show_check([], every=False, errors=0)
    assert "`ares data import PATH`" in capsys.readouterr().out
