"""``ares config``: what is in force, where it was set, and what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import call
from tests.paper_engine import running

from ares.cli.main import run
from ares.config.settings import Settings


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--json"]) == 0
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    capsys.readouterr()
    assert run(list(args)) == 0
    return capsys.readouterr().out


def test_show_as_json_is_the_settings(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = json.loads(answer(capsys, "config", "show", "--json"))
    assert shown == Settings().model_dump(mode="json")
    section = json.loads(answer(capsys, "config", "show", "risk", "--json"))
    assert section == shown["risk"]
    assert json.loads(answer(capsys, "config", "show", "risk.daily_loss_limit", "--json")) == 0.05


def test_show_of_one_key_is_its_bare_value(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(capsys, "config", "show", "risk.daily_loss_limit") == "0.05\n"
    assert answer(capsys, "config", "show", "live_trading.enabled") == "false\n"
    assert answer(capsys, "config", "show", "database.url") == "null\n"


def test_show_names_where_each_value_was_set(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "ares.yaml").write_text("venue: kraken\nrisk:\n  daily_loss_limit: 0.02\n")
    monkeypatch.setenv("ARES_COSTS__FEE_BPS", "7.5")
    rows = answer(capsys, "config", "show").splitlines()
    row = {line.split()[0]: line for line in rows if "." in line or "venue" in line}
    assert row["venue"].rstrip().endswith("ares.yaml, line 1")
    assert row["risk.daily_loss_limit"].rstrip().endswith("ares.yaml, line 3")
    assert "0.02" in row["risk.daily_loss_limit"]
    assert row["costs.fee_bps"].rstrip().endswith("environment: ARES_COSTS__FEE_BPS")
    assert row["costs.spread_bps"].rstrip().endswith("default")


def test_a_password_in_an_address_is_never_shown(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / ".env").write_text("ARES_DATABASE__URL=postgresql+psycopg://me:hunter2@db/ares\n")
    for args in (["config", "show"], ["config", "show", "--json"], ["config", "show", "database"]):
        shown = answer(capsys, *args)
        assert "hunter2" not in shown
        assert "postgresql+psycopg://me:***@db/ares" in shown


def test_show_of_an_unknown_key_names_the_nearest(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["config", "show", "risk.daily_los"]) == 2
    assert "did you mean 'daily_loss_limit'?" in capsys.readouterr().err
    assert run(["config", "show", "venue.name"]) == 2
    assert "'venue' is a value" in capsys.readouterr().err


def test_check_of_good_settings(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no errors" in answer(capsys, "config", "check")
    shown = json.loads(answer(capsys, "config", "check", "--json"))
    assert shown == {"ok": True, "problems": [], "hash": Settings().hash}


def test_check_prints_every_error_on_its_own_line(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "ares.yaml").write_text("venu: kraken\nrisk:\n  daily_loss_limit: 10\n")
    capsys.readouterr()
    assert run(["config", "check"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "ares: ares.yaml, line 1: unknown key 'venu': did you mean 'venue'?",
        "ares: ares.yaml, line 3: 'risk.daily_loss_limit' is a fraction: 10 means 1000%, "
        "write 0.10 for 10%",
    ]
    assert run(["config", "check", "--json"]) == 2
    shown = json.loads(capsys.readouterr().out)
    assert shown["ok"] is False
    assert len(shown["problems"]) == 2


def test_any_other_command_stops_at_the_first_error(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "ares.yaml").write_text("risk:\n  daily_los_limit: 0.1\n")
    assert run(["config", "show"]) == 2
    assert capsys.readouterr().err == (
        "ares: ares.yaml, line 2: unknown key 'risk.daily_los_limit': "
        "did you mean 'daily_loss_limit'?\n"
    )


def test_a_section_is_shown_under_its_former_name_too(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "ares.yaml").write_text("rollout: {shadow_hours: 7}\n")
    assert answer(capsys, "config", "show", "rollout.shadow_hours") == "7.0\n"
    assert json.loads(answer(capsys, "config", "show", "challenger", "--json"))["shadow_hours"] == 7


def test_a_live_setting_of_the_running_engine_is_changed(workspace: Path) -> None:
    def cli(*words: str) -> tuple[int, str, str]:
        return call(workspace, ["config", "set", *words])

    with running(workspace) as engine:
        code, out, err = cli("risk.max_position_size_percent=0.2", "--expect", "0")
        assert (code, out) == (
            0, "risk.max_position_size_percent is 0.2 (version 1 of the settings)\n",
        )  # fmt: skip
        assert "ares.yaml stays as it is" in err
        assert float(engine.state.params.rules[0]["position_max"]) == 0.2
        code, _, err = cli("risk.max_position_size_percent=0.3", "--expect", "0")
        assert (code, err) == (
            1, "ares: config set was refused: the settings are of version 1 by now, not 0\n",
        )  # fmt: skip
        assert cli("risk.on_drawdown=close")[0] == 0
        assert engine.state.rule_changes == {"position_max": 0.2, "close_on_drawdown": 1.0}
        events = len(engine.events)
        for words, problem in (
            ("risk.max_position_size_percent=20", "is a fraction"),
            ("costs.fee_bps=1", "is not a setting that a running engine can change"),
            ("risk.on_drawdown=sell", "on_drawdown"),
        ):
            code, out, err = cli(words)
            assert (code, out) == (2, "")
            assert problem in err
        assert len(engine.events) == events
    assert cli("risk.daily_loss_limit=0.03")[0] == 3


@pytest.mark.parametrize("url", ["foo", "mysql://me:secret@h/d", "postgresql:/h/d", "ares.db"])
def test_a_database_that_cannot_be_used_is_refused_before_a_file_is_made(
    workspace: Path, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    (workspace / "ares.yaml").write_text(f"database:\n  url: '{url}'\n")
    for words in (["config", "check"], ["data", "list"], ["status"]):
        capsys.readouterr()
        assert run(words) == 2
        line = capsys.readouterr().err
        assert "ares.yaml, line 2: 'database.url' is not the URL of a database" in line
        assert "secret" not in line
    assert not (workspace / url.rpartition("/")[2]).exists()
