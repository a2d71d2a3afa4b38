"""``ares models validate, promote, compare, archive`` and what the history then says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ares.cli.models_gate import environment_of
from ares.domain.errors import UserError
from ares.runtime.registry.model_journal import read_registry


@pytest.fixture
def ares(trained_ares: Any) -> Any:
    return trained_ares


def test_promotion_needs_a_verdict_or_force_and_a_reason(
    ares: Any, trained: dict[str, Any]
) -> None:
    code, _, err = ares("models", "promote")
    assert (code, "no passing verdict" in err) == (1, True)
    assert ares("models", "promote", "--force")[0] == 2
    code, _, err = ares("models", "promote", "--force", "--reason", "x", "--env", "live")
    assert (code, "--force is refused in live" in err) == (1, True)
    joined = trained["ensembles"][0]["hash"]
    code, out, _ = ares("models", "promote", joined[:12], "--force", "--reason", "rehearsal")
    assert (code, "is champion in history" in out) == (0, True)
    shown = json.loads(ares("models", "show", joined, "--json")[1])
    assert shown["champion_in"] == ["history"]


def test_a_verdict_is_shown_as_table_json_and_picture(
    ares_judged: Any, trained: dict[str, Any]
) -> None:
    """So few bars are no evidence: the answer is no, with every number that there is."""
    ares, joined = ares_judged, trained["ensembles"][0]["hash"]
    code, out, _ = ares.made
    output = json.loads(out)
    assert (code, output["passed"], output["ensemble"]) == (1, False, joined)
    assert Path(output["file"]).name.startswith(joined)
    lines = {line["name"]: line for line in output["verdict"]["lines"]}
    assert lines["reproducible"]["passed"]
    assert lines["lookahead_leakage"]["passed"]
    assert lines["parity"]["passed"]
    assert lines["deflated_sharpe"]["passed"] is False
    assert (ares.root / "verdict.png").read_bytes()[:4] == b"\x89PNG"
    code, out, err = ares("models", "validate", joined)
    assert code == 1
    for text in ("Deflated Sharpe", "anytime-valid", "Refused: ", "look-ahead leakage"):
        assert text in out
    assert "validate: done" in err
    shown = json.loads(ares("models", "show", joined, "--json")[1])
    assert shown["model_status"] == "evaluated_inferior"
    assert len(shown["verdicts"]) == 2
    assert ares("models", "validate", "nothing")[0] == 2
    assert ares("models", "validate", joined, "--env", "moon")[0] == 2


def test_a_word_for_the_results_needs_a_name_and_a_reason(ares: Any) -> None:
    for arguments in (("--plausible-by", "Ada"), ("--reason", "planted")):
        code, _, err = ares("models", "validate", "BTC/USDT", *arguments)
        assert (code, "--plausible-by NAME and --reason TEXT go together" in err) == (2, True)
    verdicts = read_registry(ares.root / "journal").verdicts
    assert not verdicts


def test_the_word_of_a_person_is_on_the_card_and_in_the_history(
    ares: Any, trained: dict[str, Any]
) -> None:
    joined = trained["ensembles"][0]["hash"]
    with (ares.root / "ares.yaml").open("a") as settings:
        settings.write("promotion: {plausible_brier_skill_max: 0.0001, beaten: []}\n")
    ares("models", "validate", joined)
    assert "no: its results are above what" in ares("models", "show", joined)[1]
    code, _, err = ares("models", "promote", joined, "--force", "--reason", "x")
    assert (code, "does not waive the line plausible" in err) == (1, True)
    word = ("--plausible-by", "Ada", "--reason", "planted")
    _, out, _ = ares("models", "validate", joined, *word)
    assert "true by the word of Ada: planted" in out
    shown = ares("models", "show", joined)[1]
    assert "by Ada: planted" in shown
    assert "plausible by Ada: planted" in shown  # in the history
    assert ares("models", "promote", joined, "--force", "--reason", "x")[0] == 0


def test_a_picture_that_cannot_be_written_is_one_line_and_loses_no_verdict(ares: Any) -> None:
    root = ares.root
    verdicts = root / "models" / "verdicts"
    before = len(list(verdicts.glob("*.json")))
    code, _, err = ares("models", "validate", "BTC/USDT", "--picture", str(root))
    assert (code, "is a folder" in err) == (2, True)
    assert len(list(verdicts.glob("*.json"))) == before
    (root / "file").write_text("x")
    code, out, err = ares("models", "validate", "BTC/USDT", "--picture", f"{root}/file/v.png")
    assert (code, "cannot be written" in err, "Traceback" in err) == (3, True, False)
    assert "lines failed" in out
    assert len(list(verdicts.glob("*.json"))) == before + 1


def test_models_are_compared_archived_and_taken_back(
    ares_twice: Any, trained: dict[str, Any]
) -> None:
    ares, own = ares_twice, trained["ensembles"][0]["hash"]
    listed = json.loads(ares("models", "list", "--json")[1])
    [other] = {one["hash"] for one in listed if one["kind"] == "ensemble"} - {own}
    code, out, _ = ares("models", "compare", own, other)
    assert (code, "On the same bars" in out) == (0, True)
    output = json.loads(ares("models", "compare", own, other, "--json")[1])
    assert (output["difference"]["steps"] > 100, "shown to be better" in output["result"]) == (
        True,
        True,
    )
    assert ares("models", "compare", own, own)[0] == 2
    assert ares("models", "rollback", "--env", "paper")[0] == 1
    code, out, _ = ares("models", "archive", other[:12], "--reason", "old")
    assert (code, out) == (0, f"{other[:12]} is archived\n")
    assert ares("models", "archive", other)[0] == 1
    output = ares("models", "validate", other)[2].replace("\n", " ")
    assert f"{other[:12]} is archived: no verdict brings it back" in output


def test_a_model_shows_its_history_and_refusals_are_in_the_journal(
    ares_judged: Any, trained: dict[str, Any], tmp_path: Path
) -> None:
    ares, joined = ares_judged, trained["ensembles"][0]["hash"]
    assert ares("models", "validate", joined, "--env", "moon")[0] == 2
    assert ares("models", "promote")[0] == 1
    assert ares("models", "promote", "--force", "--reason", "rehearsal")[0] == 0
    code, out, _ = ares("models", "show", joined)
    assert code == 0
    for text in ("History", "promoted (forced)", "rehearsal", "refused by the gate"):
        assert text in out
    history = json.loads(ares("models", "show", joined, "--json")[1])["history"]
    assert {"validate refused", "promoted (forced)", "refused by the gate"} <= {
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
        assert code == (1 if arguments[0] == "rollback" else 2)
        denied = read_registry(ares.root / "journal").refusals[-1]
        assert (denied.action, denied.target) == arguments[:2]
        assert denied.reason in err
    packages = [m for m in json.loads(ares("models", "list", "--json")[1]) if "ref" in m]
    assert "production" in {package["model_status"] for package in packages}


def test_verdicts_that_are_not_in_the_journal_are_reported(
    ares: Any,
) -> None:
    unknown = ares.root / "models" / "verdicts" / "stranger.json"
    unknown.parent.mkdir(exist_ok=True)
    unknown.write_text("{}")
    code, _, err = ares("models", "list")
    assert (code, "1 of the verdicts in " in err, "stranger.json" in err) == (0, True, True)
    unknown.unlink()
    assert "of the verdicts" not in ares("models", "list")[2]


def test_to_is_still_taken_for_an_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert environment_of("", "paper") == "paper"
    assert "write --env paper: --to means a date elsewhere" in capsys.readouterr().err
    assert environment_of("paper", "") == environment_of("paper", "paper") == "paper"
    assert environment_of("", "") == ""
    with pytest.raises(UserError, match="give --env alone"):
        environment_of("paper", "live")


def test_a_promotion_of_the_champion_imports_nothing_heavy(ares: Any) -> None:
    """It answers in half a second; MLflow alone takes two to import."""
    target = json.loads(ares("models", "list", "--json")[1])[0]["hash"]
    command = ["models", "promote", target, "--force", "--reason", "x"]
    assert ares(*command)[0] == 0
    code = (
        "import sys; from ares.cli.main import run; code = run(sys.argv[1:]); "
        "heavy = {'mlflow', 'numba', 'sqlalchemy', 'onnxruntime', 'polars'} & sys.modules.keys(); "
        "print(code, sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        env={**os.environ, "ARES_WORKSPACE": str(ares.root)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "1 []\n"
    assert "is champion in history already" in done.stderr
