"""Commands to a running engine from the terminal: answered, refused, or not left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.cli.conftest import call
from tests.paper_engine import running

import ares.bootstrap.control
from ares.config.workspace import Workspace
from ares.journal.lock import Lock
from ares.store.commands import beat_of, save_beat
from ares.store.database import open_database, reading
from ares.store.schema import commands

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Workspace.init(tmp_path / "w")[0].root


@pytest.fixture
def cli(root: Path) -> Cli:
    return lambda *arguments: call(root, list(arguments))


def rows(root: Path) -> int:
    database = open_database(root / "ares.db")
    with reading(database) as connection:
        found = connection.execute(select(func.count()).select_from(commands)).scalar_one()
    database.dispose()
    return int(found)


def test_a_halt_is_answered_journaled_and_ended(root: Path, cli: Cli) -> None:
    with running(root) as engine:
        halted = "entries of binance:BTC/USDT are halted\n"
        assert cli("halt", "-s", "BTC/USDT", "--reason", "news") == (0, halted, "")
        assert [(h.instrument, h.reason) for h in engine.state.halts] == [(0, "operator")]
        assert cli("resume", "--reason", "calm", "--env", "paper")[:2] == (0, "1 halt ended\n")
        assert engine.state.halts == []


def test_a_refusal_is_one_line_and_the_answer_no(root: Path, cli: Cli) -> None:
    with running(root):
        code, out, err = cli("halt", "-s", "XRP/USDT", "--reason", "test")
        assert (code, out) == (1, "")
        assert err == "ares: halt was refused: XRP/USDT is not traded here\n"
        assert cli("resume", "--reason", "test")[0] == 1


@pytest.mark.parametrize("given", [(), ("--env", "paper")])
def test_without_an_engine_nothing_is_left_behind(
    root: Path, cli: Cli, given: tuple[str, ...]
) -> None:
    line = "ares: no engine runs in paper: start one with `ares run --env paper`\n"
    assert cli("halt", "--reason", "test", *given) == (3, "", line)
    assert cli("status", *given) == (3, "", line)
    with running(root):
        pass
    assert cli("halt", "--reason", "test", *given) == (3, "", line), "it stopped cleanly"
    assert rows(root) == 0


def test_a_heartbeat_without_its_lock_is_no_engine(root: Path, cli: Cli) -> None:
    """The process was ended: its heartbeat is young, its lock is free."""
    with running(root):
        database = open_database(root / "ares.db")
        beat = beat_of(database, "paper")
        assert beat is not None
    save_beat(database, beat)
    assert cli("halt", "--reason", "test")[0] == 3
    lock = Lock(Workspace(root).journal_dir / "paper")
    save_beat(database, beat._replace(beat_ms=beat.beat_ms - 6_000))
    assert cli("halt", "--reason", "test")[0] == 3, "it holds its lock, and hangs"
    lock.release()
    save_beat(database, beat._replace(host="another", environment="live"))
    database.dispose()
    assert cli("status")[0] == 0, "its lock is on another machine"
    assert rows(root) == 0


def test_of_several_engines_one_must_be_named(root: Path, cli: Cli) -> None:
    with running(root), running(root, "rehearsal/x") as other:
        code, _, err = cli("halt", "--reason", "test")
        assert (code, err) == (
            2, "ares: several engines run (paper, rehearsal/x): name one with --env\n",
        )  # fmt: skip
        assert cli("halt", "--reason", "test", "--env", "rehearsal/x")[0] == 0
        assert other.state.halts


DONE: list[tuple[str, str]] = [
    ("flatten -s BTC/USDT --reason x", "entries of binance:BTC/USDT are halted; nothing is held"),
    ("snapshot", "a snapshot is written"),
    ("symbols remove ETH/USDT --reason x", "binance:ETH/USDT is not traded any more"),
    ("symbols add ETH/USDT --reason x", "binance:ETH/USDT is traded again"),
]
REFUSED: list[tuple[str, str]] = [
    ("force-exit -s BTC/USDT --reason x", "nothing of binance:BTC/USDT is held"),
    ("settle --reason x", "there is nothing to settle"),
    ("settle --absent 0a --reason x", "order 0a is not one whose outcome"),
    ("symbols add XRP/USDT --reason x", "XRP/USDT is not an instrument of"),
]


def test_the_other_verbs_are_answered_too(root: Path, cli: Cli) -> None:
    with running(root) as engine:
        for words, answer in DONE:
            assert cli(*words.split()) == (0, f"{answer}\n", "")
        for words, reason in REFUSED:
            code, found, err = cli(*words.split())
            assert (code, found) == (1, "")
            assert reason in err
        assert [h.reason for h in engine.state.halts] == ["flatten"]


def test_stop_waits_until_the_engine_has_ended(root: Path, cli: Cli) -> None:
    with running(root):
        assert cli("stop", "--reason", "test") == (0, "the engine has stopped\n", "")
        Lock(root / "journal" / "paper").release()


def test_an_engine_that_does_not_end_is_reported(
    root: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ares.bootstrap.control, "END_S", 0.2)
    with running(root, ends=False):
        code, out, err = cli("stop")
    assert (code, out) == (0, "the engine stops\n")
    assert err == "it has not ended after 0.2 s: its terminal and its log say what it does\n"


def test_no_answer_is_reported(root: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ares.bootstrap.control, "WAIT_S", 0.3)
    monkeypatch.setattr(ares.bootstrap.control, "LATE_S", 0.1)
    with running(root, answers=False):
        code, out, err = cli("halt", "--reason", "test")
    assert (code, out) == (3, "")
    assert err.startswith("ares: the engine in paper did not answer `halt` within 0.3 s")
