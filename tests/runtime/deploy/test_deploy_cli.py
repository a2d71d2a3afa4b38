"""The whole way by the command line: exported, shown, approved, installed, taken back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ares.bootstrap.deploy import deploy_context
from ares.cli.main import run
from ares.domain.package import sha256
from ares.runtime.deploy.install import install
from ares.runtime.deploy.plan import DeployRequest
from ares.runtime.deploy.policy import DeployEffects

if TYPE_CHECKING:
    from tests.runtime.deploy.conftest import Site


def test_from_export_to_rollback(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    site.settle(restart_command="true", health_command="true", health_interval_seconds=0.001)
    target = tmp_path / "out.zip"

    def ares(root: Path, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setenv("ARES_WORKSPACE", str(root))
        code = run(arguments)
        out = capsys.readouterr()
        return code, out.out, out.err

    code, out, _ = ares(site.staging.root, "models", "export", site.new[:12], str(target))
    digest = sha256(target.read_bytes())
    assert (code, f"SHA-256 {digest}" in out) == (0, True)

    production = site.production.root
    install = ("deploy", "install", str(target), "--yes", "--now", "--sha256", digest)
    code, out, err = ares(production, *install)
    assert code == 0, err
    for text in (digest, site.old[:12], site.new[:12], "passed for live, 2024-02-29 12:00 by"):
        assert text in out
    assert f"installed; champion in live is {site.new[:12]}" in out
    assert "healthy: 3 of 3 checks in a row" in err
    code, out, _ = ares(production, *install, "--json")
    assert (code, json.loads(out)["result"]) == (0, "already")
    code, out, _ = ares(production, "deploy", "status", "--json")
    output = json.loads(out)
    assert output["champions"] == {"binance:BTC/USDT": site.new}
    assert output["newest_installs"]["binance:BTC/USDT"]["checks"] == 3
    code, out, _ = ares(production, "deploy", "status")
    assert f"{site.new[:12]}, healthy" in out

    code, out, err = ares(production, "deploy", "rollback", "BTC/USDT", "--yes")
    assert (code, f"champion in live is {site.old[:12]}" in out) == (0, True), err
    code, _, err = ares(production, *install)
    assert (code, "is archived" in err) == (1, True)


def test_a_service_that_is_down_is_exit_code_3_and_one_line(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.settle(restart_command="true", health_command="false", health_interval_seconds=0.001,
                health_seconds_max=0.003)  # fmt: skip
    monkeypatch.setenv("ARES_WORKSPACE", str(site.production.root))
    code = run(["deploy", "install", str(site.package), "--yes", "--now"])
    last = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ares: ")]
    assert code == 3
    assert len(last) == 1
    assert "the service is down: " in last[0]
    assert f"(champion: {site.old[:12]})" in last[0]
    code = run(["deploy", "status", "--json"])
    output = json.loads(capsys.readouterr().out)
    assert (code, output["ok"], output["down"]) == (1, False, ["binance:BTC/USDT"])
    assert "exit code 1" in output["health"]["binance:BTC/USDT"]
    assert run(["deploy", "status"]) == 1
    assert "did not come up" in capsys.readouterr().out
    site.settle(restart_command="true", health_command="true")  # a person has repaired it
    assert run(["deploy", "status"]) == 0
    assert "healthy, by deployment.health_command" in capsys.readouterr().out
    site.settle(restart_command="true", health_command=None)  # and nobody can say so
    assert run(["deploy", "status"]) == 1


def test_taking_back_what_was_interrupted_is_exit_code_0(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.settle(restart_command="true", health_command="true", health_interval_seconds=0.001)

    class Killed(BaseException):
        pass

    def die(point: str) -> None:
        if point == "promoted":
            raise Killed

    request = DeployRequest(site.package, now=True, yes=True)
    with pytest.raises(Killed):
        install(
            deploy_context(site.production, DeployEffects(checkpoint=die)),
            request,
            lambda _plan: True,
        )
    monkeypatch.setenv("ARES_WORKSPACE", str(site.production.root))
    assert run(["deploy", "status"]) == 1
    capsys.readouterr()
    code = run(["deploy", "rollback", "--yes"])
    out, err = capsys.readouterr()
    assert (code, f"reverted; champion in live is {site.old[:12]}" in out) == (0, True), err
    assert run(["deploy", "status"]) == 0
