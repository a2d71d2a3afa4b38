"""``ares news``: exit codes, one line for a mistake, and JSON that is JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ares.cli.main import run

CSV = "published,title,score\n2024-09-12 08:00,Bitcoin rises,\n2024-09-12 09:00,,0.5\n,Nothing,\n"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--json"]) == 0
    (tmp_path / "wire.csv").write_text(CSV)
    return tmp_path


def ares(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run(["news", *args])
    return code, *capsys.readouterr()


def answer(capsys: pytest.CaptureFixture[str], *args: str, code: int = 0) -> Any:
    got, out, _ = ares(capsys, *args, "--json")
    assert got == code
    return json.loads(out)


def test_import_list_and_check(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ares(capsys, "import", "wire.csv")
    assert code == 0
    assert "2 new rows from 1 source" in out
    assert "skipped: 1 item with no time" in err
    (again,) = answer(capsys, "import", "wire.csv")["imported"]
    assert (again["new"], again["same"]) == (0, 2)
    (source,) = answer(capsys, "list")
    assert (source["source"], source["rows"], source["headlines"]) == ("wire", 2, 1)
    newest = answer(capsys, "list", "--rows", "1")
    assert newest[0]["score"] == 0.5
    assert answer(capsys, "list", "--rows", "5", "-s", "BTC") == []
    checked = answer(capsys, "check", code=1)
    assert not checked["ok"]
    assert checked["sources"][0]["stale"]
    code, out, _ = ares(capsys, "check")
    assert code == 1
    assert "score by prices alone" in out
    assert answer(capsys, "list", "-s", "BTC") == []
    for args in (("list",), ("list", "--rows", "3")):
        assert ares(capsys, *args)[0] == 0


def test_nothing_is_stored(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no news are stored" in ares(capsys, "list")[1]
    assert ares(capsys, "check")[0] == 1


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("import", "none.csv"), "no such file"),
        (("import", "wire.csv", "--scale", "7"), "write two numbers"),
        (("import", "wire.csv", "--scale", "1:1"), "must be finite and differ"),
        (("import", "wire.csv", "--symbol", "!!"), "write a currency"),
        (("import", "wire.csv", "--source", "a\nb"), "use letters"),
        (("import", "wire.csv", "--scale", "0:inf"), "must be finite"),
        (("list", "-s", "!!"), "write a currency"),
        (("fetch", "ftp://host/feed"), "no address of a feed"),
        (("fetch", "http://[::1"), "no address of a feed"),
        (("fetch", "http://127.0.0.1:9/feed", "-s", "!!"), "write a currency"),
        (("fetch", "http://127.0.0.1:9/feed", "--source", "a\x1b"), "use letters"),
        (("fetch", "-s", "BTC"), "goes with an address"),
        (("fetch",), "no feed is configured"),
        (("fetch", "--source", "x"), "no feed x"),
    ],
)
def test_a_user_error_is_one_line(
    workspace: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], line: str
) -> None:
    code, _, err = ares(capsys, *args)
    assert code == 2
    assert line in err.strip().splitlines()[-1]
    assert "Traceback" not in err


def test_a_feed_that_does_not_answer(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ares(capsys, "fetch", "http://127.0.0.1:9/feed")
    assert code == 3
    assert "refused: http://127.0.0.1:9/feed does not answer" in err
    assert "0 new rows" in out
