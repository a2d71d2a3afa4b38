"""``ares data import-series`` and ``ares data series``: exit codes, one line, nothing by halves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ares.cli.main import run

CSV = "published,value\n2024-09-12 08:00,0.5\n2024-09-13 08:00,-0.5\n"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ares.yaml").write_text("symbols: [BTC/USDT]\nfeatures: {series: [funding]}\n")
    assert run(["init", "--json"]) == 0
    (tmp_path / "funding.csv").write_text(CSV)
    return tmp_path


def ares(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run(["data", *args])
    return code, *capsys.readouterr()


def answer(capsys: pytest.CaptureFixture[str], *args: str, code: int = 0) -> Any:
    got, out, _ = ares(capsys, *args, "--json")
    assert got == code
    return json.loads(out)


IMPORT = ("import-series", "funding.csv", "--name", "funding")


def test_import_list_check_and_remove(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ares(capsys, *IMPORT, "--lag", "8h")
    assert code == 0
    assert "funding: 2 new values of 2 about all instruments, published 2024-09-12 08:00" in out
    again = answer(capsys, *IMPORT, "--lag", "8h")
    assert again["saved"] == {"new": 0, "same": 2, "differing": 0, "version": 1}
    code, _, err = ares(capsys, *IMPORT, "--lag", "0m")
    assert code == 1
    assert "kept: 2 values as stored before" in err
    (stored,) = answer(capsys, "series", "list")
    assert (stored["rows"], stored["scope"], stored["lag_ms_max"]) == (2, "", 8 * 3_600_000)
    checked = answer(capsys, "series", "check", code=1)
    assert not checked["ok"]
    (one,) = checked["series"]
    assert one["stale"]
    assert one["age_hours"] > 24
    code, out, _ = ares(capsys, "series", "check")
    assert code == 1
    assert "stale: nothing for" in out
    assert "funding: 2 values removed" in ares(capsys, "series", "remove", "funding")[1]
    assert answer(capsys, "series", "list") == []


def test_a_series_that_is_no_feature_may_be_old(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ares(capsys, "import-series", "funding.csv", "--name", "other", "--lag", "0m", "-s", "btc")
    (stored,) = answer(capsys, "series", "list")
    assert stored["scope"] == "BTC"
    assert answer(capsys, "series", "check")["ok"]
    assert "models are trained without it" in ares(capsys, "series", "check")[1]


def test_nothing_is_stored(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("list", "check"):
        code, out, _ = ares(capsys, "series", verb)
        assert code == 0
        assert "no series are stored" in out


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ((*IMPORT,), "no column 'known'"),
        ((*IMPORT, "--lag", "soon"), "--lag soon: write minutes, hours or days"),
        ((*IMPORT, "--lag", "-1h"), "--lag -1h: write"),
        ((*IMPORT, "--lag", "1h", "--value", "other"), "no column 'other'"),
        ((*IMPORT, "--lag", "1h", "-s", "BTK"), "--symbol: symbol 'BTK' is no stored instrument"),
        (("import-series", "none.csv", "--name", "a", "--lag", "1h"), "none.csv: no such file"),
        (
            ("import-series", "funding.csv", "--name", "A b", "--lag", "1h"),
            "is not a valid name",
        ),
        (("import-series", "funding.csv", "--name", "sentiment", "--lag", "1h"), "`ares news`"),
        (("series", "remove", "none"), "no series 'none' is stored"),
        (("import-series", "bad.csv", "--name", "a", "--lag", "1h"), "bad.csv, line 3: published"),
    ],
)
def test_a_user_error_is_one_line_and_nothing_is_stored(
    workspace: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], line: str
) -> None:
    (workspace / "bad.csv").write_text("published,value\n2024-09-12,1\nlater,2\n")
    code, out, err = ares(capsys, *args)
    assert code == 2
    assert out == ""
    assert line in err.strip().splitlines()[-1]
    assert len(err.strip().splitlines()) == 1
    assert answer(capsys, "series", "list") == []
