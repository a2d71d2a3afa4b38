"""``ares deploy`` as a person uses it: trained, exported, installed, refused, taken back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ares.cli.main import run
from ares.config.workspace import Workspace

Ares = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ares:
    Workspace.init(tmp_path / "w")
    monkeypatch.setenv("ARES_WORKSPACE", str(tmp_path / "w"))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(arguments)
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


def settle(tmp_path: Path, **sections: object) -> None:
    (tmp_path / "w" / "ares.yaml").write_text(yaml.safe_dump(sections))


RESTART = {
    "policy": "restart",
    "restart_command": "true",
    "health_command": "true",
    "health_interval_seconds": 0.001,
}


def test_a_wrong_request_is_one_line_and_exit_code_2(ares: Ares, tmp_path: Path) -> None:
    missing, package = str(tmp_path / "no.zip"), str(tmp_path / "some.zip")
    Path(package).write_bytes(b"")
    for arguments, message in (
        (("install", missing), "no.zip: there is no such file"),
        (("install", package, "--yes"), "deployment.policy is hot_swap"),
        (("install", package), "there is no terminal to ask for approval: approve it with --yes"),
        (("install", package, "--json"), "there is no terminal"),
        (("install", package, "--now", "--no-wait"), "choose one"),
        (("rollback",), "there is no terminal"),
        (("rollback", "--yes"), "deployment.policy is hot_swap"),
        (("status", "--env", "moon"), "unknown environment 'moon'"),
    ):
        code, out, err = ares("deploy", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), (arguments, err)
        assert message in err
    settle(tmp_path, deployment=RESTART)
    code, _, err = ares("deploy", "install", missing, "--yes")
    assert (code, "there is no such file" in err) == (2, True)
    code, _, err = ares("deploy", "install", str(tmp_path), "--yes")
    assert (code, "is a folder" in err) == (2, True)
    code, _, err = ares("deploy", "rollback", "--yes")
    assert (code, "there is no champion in paper" in err) == (1, True)


def test_a_bad_package_is_refused_with_exit_code_1(ares: Ares, tmp_path: Path) -> None:
    settle(tmp_path, deployment=RESTART)
    package = tmp_path / "bad.zip"
    package.write_bytes(b"PK\x03\x04 not really")
    code, out, err = ares("deploy", "install", str(package), "--yes", "--now")
    assert (code, out) == (1, "")
    assert err.startswith("ares: bad.zip: ")
    assert err.count("\n") == 1
    assert err.count("bad.zip") == 1
    assert "is not a complete zip file" in err
    code, out, _ = ares("deploy", "install", str(package), "--yes", "--now", "--json")
    output = json.loads(out)
    assert (code, output["result"], output["champion"]) == (1, "refused", "")


def test_status_for_people_and_for_scripts(ares: Ares, tmp_path: Path) -> None:
    settle(tmp_path, deployment={**RESTART, "quiet_hours": "00:00-00:00"})
    code, out, _ = ares("deploy", "status")
    assert code == 0
    for text in ("paper: there is no champion", "00:00-00:00 UTC, now", "no heartbeat"):
        assert text in out
    code, out, _ = ares("deploy", "status", "--json")
    output = json.loads(out)
    assert (code, output["ok"], output["champions"], output["quiet"]) == (0, True, {}, True)


def test_status_is_shown_on_a_full_disk(ares: Ares, tmp_path: Path) -> None:
    settle(tmp_path, deployment=RESTART)
    (tmp_path / "models").mkdir(exist_ok=True)
    (tmp_path / "models" / "deploy").write_text("no folder of a lock can be made here")
    code, out, err = ares("deploy", "status")
    assert (code, "there is no champion" in out) == (0, True), err


def test_training_is_refused_where_money_trades(ares: Ares, tmp_path: Path) -> None:
    settle(tmp_path, learning={"in_production": False}, live_trading={"mode": "live"})
    code, _, err = ares("train")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("ares: learning.in_production is false")


@pytest.mark.parametrize(
    ("deployment", "message"),
    [
        ({"quiet_hours": "2-5"}, "deployment.quiet_hours"),
        ({"quiet_hours": "25:00-05:00"}, "deployment.quiet_hours"),
        ({"restart_command": "  "}, "is empty: write a command"),
        ({"health_command": "say 'no"}, "is not a command"),
        ({"health_seconds_max": 1.0}, "must be at least health_checks times"),
        ({"health_checks": 0}, "deployment.health_checks"),
    ],
)
def test_wrong_settings_are_named(
    ares: Ares, tmp_path: Path, deployment: dict[str, object], message: str
) -> None:
    settle(tmp_path, deployment=deployment)
    code, _, err = ares("deploy", "status")
    assert code == 2
    assert message in err
    assert "ares.yaml, line" in err
