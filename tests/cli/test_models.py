"""``ares train`` and ``ares models`` as a person uses them: made once, then looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ares.cli.main import run
from ares.config.workspace import Workspace
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.kernel.bars import Bars
from ares.runtime.model_journal import read_book
from ares.store.candles import CandleStore
from ares.store.database import open_database

HOUR = 3_600_000
Ares = Callable[..., tuple[int, str, str]]


def bars(n: int = 900) -> Bars:
    """Return hourly bars that rise in the first half of the day, and fall in the second."""
    draw = np.random.default_rng(0).random((n, 2))
    sign = np.where(np.arange(n) % 24 < 12, 1.0, -1.0)
    close = 100.0 * np.exp(np.cumsum(0.002 * sign + 0.01 * (draw[:, 0] - 0.5)))
    o = np.concatenate([[100.0], close[:-1]])
    ts = 1_672_531_200_000 + np.arange(n, dtype=np.int64) * HOUR
    high, low = np.maximum(o, close) * 1.0005, np.minimum(o, close) / 1.0005
    return Bars.make(ts, o, high, low, close, 1 + draw[:, 1])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("w")
    Workspace.init(folder)
    content = {
        "symbols": ["BTC/USDT"],
        "timeframes": {
            "intervals": [{"interval": "1h", "weight": 0.6}, {"interval": "4h", "weight": 0.4}]
        },
        "learning": {"workers": 1},
    }
    (folder / "ares.yaml").write_text(yaml.safe_dump(content))
    engine = open_database(f"sqlite:///{folder / 'ares.db'}")
    spec = InstrumentSpec(Instrument("binance", "BTC/USDT"), 4, 4)
    CandleStore(engine, None).save(spec, "1h", bars(), "made for a test")
    engine.dispose()
    return folder


@pytest.fixture
def ares(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ares:
    monkeypatch.setenv("ARES_WORKSPACE", str(root))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(arguments)
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


@pytest.fixture(scope="module")
def trained(root: Path) -> dict[str, Any]:
    """Train once by the command line and return what ``--json`` said."""
    import contextlib
    import io
    import os

    out = io.StringIO()
    before = os.environ.get("ARES_WORKSPACE")
    os.environ["ARES_WORKSPACE"] = str(root)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            assert run(["train", "--json"]) == 0
    finally:
        if before is None:
            del os.environ["ARES_WORKSPACE"]
        else:
            os.environ["ARES_WORKSPACE"] = before
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


def test_training_says_everything_as_json(trained: dict[str, Any]) -> None:
    [pair] = trained["pairs"]
    assert pair["name"] == "binance_BTC-USDT_1h"
    assert {"accuracy", "accuracy_base", "calibration_error", "net_bps", "thresholds"} <= set(
        pair["metrics"]
    )
    [joined] = trained["ensembles"]
    assert joined["weights"] == {"1h": 1.0}
    assert joined["left_out"] == ["4h"]
    assert trained["missing"][0]["subject"] == "binance:BTC/USDT 4h"
    assert trained["warnings"] == []


def test_training_for_people_names_rows_thresholds_and_what_is_missing(
    ares: Ares, trained: dict[str, Any]
) -> None:
    code, out, err = ares("train", "-s", "BTC/USDT", "--workers", "1", "--price-only")
    assert code == 0
    for text in (
        "binance_BTC-USDT_1h",
        "accuracy / base",
        "cal. error / luck",
        "edge > 5 bps",
        "p > 0.5",
        "weights 1h 1.00; trades by 1h",
        "left out: binance:BTC/USDT 4h: ",
        "rows, and learning.rows_min is 400",
        "1 package and 1 ensemble: candidates now",
    ):
        assert text in out
    assert "train: done, 3 of 3 models" in err


def test_too_few_rows_for_anything_is_one_line(ares: Ares, trained: dict[str, Any]) -> None:
    code, _, err = ares("train", "--from", "2023-02-01", "--to", "2023-02-05", "--json")
    assert code == 2
    assert err.splitlines()[-1].startswith("ares: nothing could be trained (binance:BTC/USDT 1h: ")
    code, _, err = ares("train", "-s", "DOGE/USDT")
    assert (code, err.splitlines()[-1]) == (
        2,
        "ares: unknown symbol 'DOGE/USDT': did you mean BTC/USDT? `ares data list` shows all",
    )
    assert ares("train", "--scope", "planet")[0] == 2
    assert ares("train", "-i", "2h")[0] == 2
    assert ares("train", "--from", "2023-02-05", "--to", "2023-02-01")[0] == 2


def test_the_list_is_a_list(ares: Ares, trained: dict[str, Any]) -> None:
    code, out, _ = ares("models", "list", "--json")
    listed = json.loads(out)
    assert code == 0
    assert isinstance(listed, list)
    assert {entry["kind"] for entry in listed} == {"package", "ensemble"}
    assert trained["ensembles"][0]["hash"] in {entry["hash"] for entry in listed}
    code, out, _ = ares("models", "list")
    assert code == 0
    assert trained["ensembles"][0]["hash"][:12] in out


def test_a_model_is_shown_by_any_of_its_names(ares: Ares, trained: dict[str, Any]) -> None:
    pair, joined = trained["pairs"][0], trained["ensembles"][0]
    for name in (f"{pair['name']}/{pair['version']}", pair["name"], joined["hash"][:8], "BTC/USDT"):
        assert ares("models", "show", name)[0] == 0
        shown = json.loads(ares("models", "show", name, "--json")[1])
        assert shown["kind"] in {"package", "ensemble"}
    code, _, err = ares("models", "show", "binance_BTC-USDT_2h")
    assert code == 2
    assert "did you mean binance_BTC-USDT_1h/" in err


def test_an_export_goes_into_another_workspace(
    ares: Ares, trained: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = trained["ensembles"][0]["hash"]
    target = tmp_path / "out.zip"
    assert ares("models", "export", joined[:12], str(target))[0] == 0
    code, _, err = ares("models", "export", joined[:12], str(target))
    assert (code, "exists already" in err) == (2, True)
    Workspace.init(tmp_path / "other")
    monkeypatch.setenv("ARES_WORKSPACE", str(tmp_path / "other"))
    code, out, _ = ares("models", "import", str(target), "--json")
    assert (code, json.loads(out)["ensemble"]) == (0, joined)
    assert joined in ares("models", "list", "--json")[1]
    target.write_bytes(target.read_bytes()[:-50])
    assert ares("models", "import", str(target))[0] == 2


def test_a_damaged_export_is_refused_and_the_journal_says_so(
    ares: Ares, trained: dict[str, Any], root: Path, tmp_path: Path
) -> None:
    target = tmp_path / "e.zip"
    assert ares("models", "export", trained["ensembles"][0]["hash"][:12], str(target))[0] == 0
    raw = bytearray(target.read_bytes())
    raw[len(raw) // 2] ^= 1
    target.write_bytes(bytes(raw))
    code, _, said = ares("models", "import", str(target))
    assert code in (2, 3)
    assert len(said.strip().splitlines()) == 1
    denied = read_book(root / "journal").denied[-1]
    assert (denied.what, denied.target) == ("import", str(target))


def test_a_users_own_onnx_file_is_tried_on_stored_candles(
    ares: Ares, trained: dict[str, Any], root: Path, tmp_path: Path
) -> None:
    pair = trained["pairs"][0]
    graph = root / "models" / "packages" / pair["name"] / pair["version"] / "model.onnx"
    mine = tmp_path / "mine.onnx"
    mine.write_bytes(graph.read_bytes())
    code, _, err = ares("models", "import", str(mine))
    assert (code, "say what it is a model of" in err) == (2, True)
    code, out, _ = ares("models", "import", str(mine), "-s", "BTC/USDT", "-i", "1h", "--json")
    imported = json.loads(out)
    assert code == 0
    assert imported["origin"] == "imported"
    assert imported["reference"] == "binance:BTC/USDT"
    assert imported["validation"]["trades"] == 0
    assert "cannot know" in imported["metrics"]["note"]
    assert ares("models", "show", imported["ref"])[0] == 0
    assert ares("models", "show", imported["ensemble"][:10])[0] == 0
    assert imported["name"] == f"{pair['name']}_imported"  # it does not step into another's place
    default = json.loads(ares("models", "show", "BTC/USDT", "--json")[1])
    assert default["hash"] != imported["ensemble"]
    assert json.loads(ares("models", "show", pair["name"], "--json")[1])["origin"] == "trained"
    before = ares("models", "list", "--json")[1]
    for content in (b"", b"garbage", graph.read_bytes()[:500]):
        mine.write_bytes(content)
        code, _, err = ares("models", "import", str(mine), "-s", "BTC/USDT", "-i", "1h")
        assert (code, "is no ONNX model" in err, err.count("\n")) == (2, True, 1)
    assert ares("models", "import", str(tmp_path / "no.onnx"), "-s", "BTC/USDT", "-i", "1h")[0] == 2
    assert ares("models", "list", "--json")[1] == before


def test_promotion_needs_a_verdict_or_force_and_a_reason(
    ares: Ares, trained: dict[str, Any]
) -> None:
    code, _, err = ares("models", "promote")
    assert (code, "no passing verdict" in err) == (1, True)
    assert ares("models", "promote", "--force")[0] == 2
    code, _, err = ares("models", "promote", "--force", "--reason", "x", "--to", "live")
    assert (code, "--force is refused in live" in err) == (1, True)
    joined = trained["ensembles"][0]["hash"]
    code, out, _ = ares("models", "promote", joined[:12], "--force", "--reason", "rehearsal")
    assert (code, "is champion in history" in out) == (0, True)
    shown = json.loads(ares("models", "show", joined, "--json")[1])
    assert shown["champion_in"] == ["history"]


def test_a_verdict_is_shown_as_table_json_and_picture(
    ares: Ares, trained: dict[str, Any], tmp_path: Path
) -> None:
    """So few bars are no evidence: the answer is no, with every number that there is."""
    joined = trained["ensembles"][0]["hash"]
    picture = tmp_path / "verdict.png"
    code, out, _ = ares("models", "validate", joined[:10], "--json", "--picture", str(picture))
    said = json.loads(out)
    assert (code, said["passed"], said["ensemble"]) == (1, False, joined)
    assert Path(said["file"]).name.startswith(joined)
    lines = {line["name"]: line for line in said["verdict"]["lines"]}
    assert lines["reproduced"]["passed"]
    assert lines["leaks"]["passed"]
    assert lines["parity"]["passed"]
    assert lines["deflated_sharpe"]["passed"] is False
    assert picture.read_bytes()[:4] == b"\x89PNG"
    code, out, err = ares("models", "validate", joined)
    assert code == 1
    for text in ("Deflated Sharpe", "anytime-valid", "Refused: ", "columns that know the future"):
        assert text in out
    assert "validate: done" in err
    shown = json.loads(ares("models", "show", joined, "--json")[1])
    assert shown["model_status"] in {"evaluated_inferior", "production"}
    assert len(shown["verdicts"]) == 2
    assert ares("models", "validate", "nothing")[0] == 2
    assert ares("models", "validate", joined, "--to", "moon")[0] == 2


def test_a_picture_that_cannot_be_written_is_one_line_and_loses_no_verdict(
    ares: Ares, trained: dict[str, Any], root: Path
) -> None:
    verdicts = root / "models" / "verdicts"
    before = len(list(verdicts.glob("*.json")))
    code, _, err = ares("models", "validate", "BTC/USDT", "--picture", str(root))
    assert (code, "is a folder" in err) == (2, True)
    assert len(list(verdicts.glob("*.json"))) == before
    (root / "file").write_text("x")
    code, out, err = ares("models", "validate", "BTC/USDT", "--picture", f"{root}/file/v.png")
    assert (code, "cannot be written" in err, "Traceback" in err) == (3, True, False)
    assert "lines say no" in out
    assert len(list(verdicts.glob("*.json"))) == before + 1


def test_models_are_compared_archived_and_taken_back(ares: Ares, trained: dict[str, Any]) -> None:
    code, out, _ = ares("train", "--workers", "1", "--price-only", "--json")
    other, mine = json.loads(out)["ensembles"][0]["hash"], trained["ensembles"][0]["hash"]
    code, out, _ = ares("models", "compare", mine, other)
    assert (code, "On the same bars" in out) == (0, True)
    assert json.loads(ares("models", "compare", mine, other, "--json")[1])["steps"] > 100
    assert ares("models", "compare", mine, mine)[0] == 2
    assert ares("models", "rollback", "--env", "paper")[0] == 2
    code, out, _ = ares("models", "archive", other, "--reason", "old")
    assert (code, "archived" in out) == (0, True)
    assert ares("models", "archive", other)[0] == 1


def test_a_model_shows_its_history_and_refusals_are_in_the_journal(
    ares: Ares, trained: dict[str, Any], root: Path, tmp_path: Path
) -> None:
    joined = trained["ensembles"][0]["hash"]
    code, out, _ = ares("models", "show", joined)
    assert code == 0
    for text in ("History", "champion by force", "rehearsal", "refused by the gate"):
        assert text in out
    history = json.loads(ares("models", "show", joined, "--json")[1])["history"]
    assert {"validate refused", "champion by force", "refused by the gate"} <= {
        move["what"] for move in history
    }
    assert all(move["at"] and move["who"] for move in history)
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model")
    for arguments in (
        ("validate", "nothing"),
        ("promote", "nothing"),
        ("archive", "nothing"),
        ("rollback", "nothing", "--env", "paper"),
        ("import", str(bad), "-s", "BTC/USDT", "-i", "1h"),
    ):
        code, _, err = ares("models", *arguments)
        assert code == 2
        denied = read_book(root / "journal").denied[-1]
        assert (denied.what, denied.target) == arguments[:2]
        assert denied.reason in err
    packages = [m for m in json.loads(ares("models", "list", "--json")[1]) if "ref" in m]
    assert "production" in {package["model_status"] for package in packages}


def test_verdicts_that_the_journal_does_not_know_are_said(
    ares: Ares, trained: dict[str, Any], root: Path
) -> None:
    stranger = root / "models" / "verdicts" / "stranger.json"
    stranger.parent.mkdir(exist_ok=True)
    stranger.write_text("{}")
    code, _, err = ares("models", "list")
    assert (code, "1 of the verdicts in " in err, "stranger.json" in err) == (0, True, True)
    stranger.unlink()
    assert "of the verdicts" not in ares("models", "list")[2]


def test_a_damaged_model_is_named_and_the_others_are_listed(
    ares: Ares, trained: dict[str, Any], root: Path
) -> None:
    pair = trained["pairs"][0]
    folder = root / "models" / "packages" / pair["name"] / "20000101_000000"
    folder.mkdir()
    (folder / "model.json").write_text("{")
    code, out, err = ares("models", "list", "--json")
    assert code == 3
    assert len(json.loads(out)) >= 2
    assert "is no package's card" in err
    (folder / "model.json").unlink()
    folder.rmdir()
