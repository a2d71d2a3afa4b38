"""Real money: what is missing is named, and without all of it nothing is sent anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.runtime.lifecycle.test_going_live import PROMOTION

from ares.bootstrap.live import live_conditions, live_run
from ares.bootstrap.real_time_plan import RealTimeRequest
from ares.cli.main import run
from ares.config.workspace import Workspace
from ares.domain.errors import NothingToDo
from ares.domain.model_life import VerdictBasis, VerdictRecorded
from ares.runtime.lifecycle.going_live import missing_for_live
from ares.runtime.registry.model_journal import LOCK_WAIT_S, writing

LIVE = {
    "mode": "live", "enabled": True, "account_name": "main", "instruments": ["BTC/USDT"],
    "order_quote_max": 100.0,
}  # fmt: skip
VERDICT = VerdictRecorded(
    "live", "kraken:BTC/USDT", "a" * 64, True, (), "v", "e", VerdictBasis("", "", "", "", 1, ""),
    "file", "hash", "2026-01-01T00:00:00Z", "ada",
)  # fmt: skip
AGAIN = msgspec.structs.replace(PROMOTION, previous_hash=PROMOTION.ensemble_hash)
REQUEST = RealTimeRequest()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the transport of every venue: what would leave is noted, and fails."""
    from ccxt.async_support import Exchange

    left: list[str] = []

    async def refused(_self: Any, url: str, *_: Any, **__: Any) -> Any:
        left.append(url)
        raise AssertionError(f"a request to {url}")

    monkeypatch.setattr(Exchange, "fetch", refused)
    return left


@pytest.fixture
def ready(workspace_of: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace that has everything, but candles and models to run on."""
    monkeypatch.setenv("LIVE_KEY", "abcdef")
    monkeypatch.setenv("LIVE_SECRET", "c2VjcmV0")
    workspace = workspace_of(venue="kraken", live_trading=LIVE)
    with writing(workspace.journal_dir, LOCK_WAIT_S) as append:
        append(VERDICT)
        append(PROMOTION)
    return workspace


def missing(workspace: Workspace, typed: str | None = "main") -> tuple[str, ...]:
    return missing_for_live(live_conditions(workspace, REQUEST, typed))


def test_settings_registry_and_key_are_what_is_looked_at(ready: Workspace) -> None:
    assert missing(ready) == ()


def test_a_new_workspace_lacks_all_of_it(
    workspace_of: Callable[..., Workspace], no_network: list[str]
) -> None:
    workspace = workspace_of()
    lines = missing(workspace, None)
    for named in (
        "live_trading.mode", "live_trading.enabled", "account_name", "live_trading.instruments",
        "order_quote_max", "LIVE_KEY and LIVE_SECRET are not set", "has a champion in live",
        "name was not typed",
    ):  # fmt: skip
        assert any(named in line for line in lines), named
    with pytest.raises(NothingToDo, match=r"live_trading.mode is not live; .*name was not typed"):
        live_run(workspace, REQUEST, None)  # type: ignore[arg-type]  # a caller that does not ask
    assert not (workspace.journal_dir / "live").exists()
    assert no_network == []


@pytest.mark.parametrize(
    ("records", "named"),
    [
        ([msgspec.structs.replace(VERDICT, passed=False, failed=("dsr",))], "no passing verdict"),
        ([msgspec.structs.replace(AGAIN, forced=True)], "was forced"),
        ([msgspec.structs.replace(AGAIN, ensemble_hash="")], "has a champion in live"),
    ],
)
def test_the_champion_has_a_passing_verdict_and_was_not_forced(
    ready: Workspace, records: list[Any], named: str
) -> None:
    with writing(ready.journal_dir, LOCK_WAIT_S) as append:
        for record in records:
            append(record)
    (line,) = missing(ready)
    assert named in line


def test_a_server_or_a_sandbox_is_no_live(ready: Workspace, monkeypatch: Any) -> None:
    request = RealTimeRequest(address="http://127.0.0.1:1")
    (line,) = missing_for_live(live_conditions(ready, request, "main"))
    assert "is a rehearsal" in line
    monkeypatch.setenv("ARES_LIVE_TRADING__SANDBOX", "true")
    (line,) = missing(Workspace(ready.root))
    assert "live_trading.sandbox is true" in line


def test_the_command_names_everything_and_ends_with_1(
    workspace_of: Callable[..., Workspace], monkeypatch: Any, capsys: Any, no_network: list[str]
) -> None:
    monkeypatch.chdir(workspace_of(venue="kraken").root)
    assert run(["run", "--env", "live"]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 8
    assert all("live is refused: " in line for line in lines)
    assert no_network == []


def test_the_command_takes_the_accounts_name_and_nothing_like_it(
    ready: Workspace, monkeypatch: Any, capsys: Any, no_network: list[str]
) -> None:
    monkeypatch.chdir(ready.root)
    assert run(["run", "--env", "live"]) == 1  # no terminal, so nobody is asked
    assert "live is refused: the account's name was not typed" in capsys.readouterr().err
    assert run(["run", "--env", "live", "--account", "paper"]) == 1
    assert "'paper' is not live_trading.account_name" in capsys.readouterr().err
    assert run(["run", "--env", "live", "--account", "main"]) == 1
    err = capsys.readouterr().err  # all is given; a key in .env is one that the engine could read
    assert "live is refused" not in err
    assert "live needs its key in the key file" in err
    assert no_network == []


def test_at_a_terminal_a_person_types_it(ready: Workspace, monkeypatch: Any, capsys: Any) -> None:
    import typer

    monkeypatch.chdir(ready.root)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    typed = iter(["mian", "main"])
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: next(typed))
    assert run(["run", "--env", "live"]) == 1
    err = capsys.readouterr().err
    assert "real money at kraken: BTC/USDT; capital 10,000.00 USDT, at most 100.00 USDT" in err
    assert "'mian' is not live_trading.account_name" in err
    assert run(["run", "--env", "live"]) == 1
    assert "live needs its key in the key file" in capsys.readouterr().err
