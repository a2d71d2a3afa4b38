"""``ares watchdog`` beside an engine that hangs: it is ended, entries are cancelled, stops stay."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sim.serving import START_MS, Served, serving_in_thread

from ares.bootstrap import watchdog
from ares.bootstrap.kill import Acting, KillEnd
from ares.bootstrap.watchdog import Intervention, WatchdogReady, run_watchdog
from ares.cli.main import run
from ares.config.workspace import Workspace
from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.domain.events import RunStarted
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.order_events import AccountSeen, SubmitOrder, TimeReached
from ares.domain.run import NO_END, RunInstrument, RunSetup
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.journal.lock import Lock
from ares.journal.run import RunJournal
from ares.runtime.ops.stop_file import StopOrder, clear_stop, read_stop, write_stop
from ares.venues.kraken import KRAKEN

OWNER = "a1b2c3d4"
STOP, ENTRY = OWNER + "0" * 24, OWNER + "1" * 24
ENVIRONMENT = "rehearsal/kraken"
WAIT_S = 120.0

HOLD = """
import sys, time
from pathlib import Path
from ares.journal.lock import Lock
lock = Lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def served() -> Iterator[Served]:
    """A server on which an entry and a stop of the engine rest, and an order of somebody else."""

    async def trade(scene: Served) -> None:
        exchange = scene.exchange("kraken")
        try:
            await exchange.load_markets()
            for id_, how in (
                (STOP, ("market", "sell", 0.01, None, {"stopLossPrice": "20000"})),
                (ENTRY, ("limit", "buy", 0.01, 20_000.0, {})),
                ("0" * 32, ("limit", "buy", 0.02, 20_000.0, {})),
            ):
                kind, side, amount, price, more = how
                parameters = {"clientOrderId": id_, **more}
                await exchange.create_order("BTC/USDT", kind, side, amount, price, parameters)
        finally:
            await exchange.close()

    with serving_in_thread("kraken", speed=1.0) as scene:
        asyncio.run(trade(scene))
        yield scene


@pytest.fixture
def workspace(tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace whose engine held nothing, and had sent the entry and the stop."""
    key = served.key("watchdog")
    monkeypatch.setenv("REHEARSAL_KRAKEN_WATCHDOG_KEY", key.key)
    monkeypatch.setenv("REHEARSAL_KRAKEN_WATCHDOG_SECRET", key.secret)
    found, _ = Workspace.init(tmp_path / "w")
    found.settings_path.write_text("venue: kraken\nwatchdog:\n  silent_seconds: 5\n")
    monkeypatch.chdir(found.root)
    spec = InstrumentSpec(Instrument("kraken", "BTC/USDT"), 2, 8)
    setup = RunSetup(
        ENVIRONMENT, (RunInstrument(spec, MINUTE_MS, None, False),), (Timeframe("1m"),), -1,
        START_MS, NO_END, START_MS, 1_000.0, {}, 0.5, {}, owner=OWNER, traits=KRAKEN.traits,
    )  # fmt: skip
    sent = [
        SubmitOrder(ENTRY, 0, "entry", 10**6, 2_000_000, "signal", 0.6, 5.0, 50.0),
        SubmitOrder(STOP, 0, "stop", -(10**6), 2_000_000, "stop", 0.6, 5.0, 50.0),
    ]
    records: list[Any] = [
        (RunStarted(setup), []),
        (AccountSeen(START_MS, START_MS, True, (2 * 10**8,), ()), []),
        (TimeReached(START_MS), sent),
    ]
    journal = RunJournal(found.journal_dir / ENVIRONMENT, 0)
    for seq, (event, effects) in enumerate(records, 1):
        journal.event(seq, event, START_MS)
        journal.effects(seq, effects)
    journal.close()
    return found


def open_ids(served: Served) -> set[str]:
    orders = served.account.orders.values()
    return {o.requested.client_id for o in orders if o.is_open}


def test_an_engine_that_hangs_is_ended_and_its_entries_cancelled(
    workspace: Workspace, served: Served
) -> None:
    folder, beat = workspace.journal_dir / ENVIRONMENT, workspace.ops_dir(ENVIRONMENT)
    (beat / "engine.json").parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    ready: list[WatchdogReady] = []
    stop = threading.Event()
    watching = threading.Thread(
        target=run_watchdog,
        args=(workspace, ENVIRONMENT, served.address, None, ready.append, lines.append, stop),
    )
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        engine.stdout.readline()
        watching.start()
        try:
            until_s = time.monotonic() + WAIT_S
            while not ready and time.monotonic() < until_s:
                time.sleep(0.05)
            assert ready[0].flattens is False
            for _ in range(6):  # it lives for a while
                (beat / "engine.json").write_text("{}")
                time.sleep(0.3)
            assert engine.poll() is None
            with pytest.raises(ExternalError, match="another watchdog"):
                run_watchdog(workspace, ENVIRONMENT, None, None, ready.append, print, stop)  # type: ignore[arg-type] # not asked
            assert engine.wait(WAIT_S) == -9
            while ENTRY in open_ids(served) and time.monotonic() < until_s:
                time.sleep(0.05)
        finally:
            stop.set()
            watching.join(WAIT_S)
    assert open_ids(served) == {STOP, "0" * 32}
    found = read_stop(folder, ENVIRONMENT, OWNER)
    assert found is not None
    assert (found.who, found.verb) == ("watchdog", "halt")
    assert any("has given no sign for 5 s" in line for line in lines)
    Lock(folder).release()  # an engine may start again, and stays stopped


def test_without_a_key_of_its_own_it_is_refused(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("KEY", "SECRET"):
        monkeypatch.delenv(f"REHEARSAL_KRAKEN_WATCHDOG_{name}")
    assert run(["watchdog", "--env", ENVIRONMENT, "--address", "http://127.0.0.1:1"]) == 2
    assert "needs a key of its own" in capsys.readouterr().err


def test_its_key_must_cancel_and_is_named_where_it_may_more(
    workspace: Workspace, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    stop = threading.Event()

    def start(name: str) -> None:
        monkeypatch.setenv("REHEARSAL_KRAKEN_WATCHDOG_KEY", served.key(name).key)
        monkeypatch.setenv("REHEARSAL_KRAKEN_WATCHDOG_SECRET", served.key(name).secret)
        run_watchdog(
            workspace, ENVIRONMENT, served.address, None, lambda _: stop.set(), lines.append, stop  # type: ignore[arg-type] # not asked
        )  # fmt: skip

    with pytest.raises(UserError, match="cannot cancel"):
        start("reader")
    start("engine")
    assert any("may trade, too" in line for line in lines)


class Venue:
    """In place of ``act``: writes the stop file and fails as it is told."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.orders = list(errors), list[StopOrder]()

    def act(self, _workspace: Workspace, acting: Acting, _key: object) -> KillEnd:
        write_stop(acting.folder, acting.order)
        self.orders.append(acting.order)
        if self.errors:
            raise self.errors.pop(0)
        return KillEnd(ENVIRONMENT, "kill", True, 0.0)


@pytest.fixture
def bare(tmp_path: Path) -> Workspace:
    found, _ = Workspace.init(tmp_path / "bare")
    for folder in (found.journal_dir / ENVIRONMENT, found.ops_dir(ENVIRONMENT) / "watchdog"):
        folder.mkdir(parents=True)
    return found


def intervention(workspace: Workspace, lines: list[str]) -> Intervention:
    spec = InstrumentSpec(Instrument("kraken", "BTC/USDT"), 2, 8)
    setup = RunSetup(
        ENVIRONMENT, (RunInstrument(spec, MINUTE_MS, None, False),), (Timeframe("1m"),), -1,
        START_MS, NO_END, START_MS, 1_000.0, {}, 0.5, {}, owner=OWNER, traits=KRAKEN.traits,
    )  # fmt: skip
    return Intervention(workspace, setup, None, ApiKey("k", "s"), lines.append, flatten=False)


def test_what_fails_is_tried_again_until_it_is_done(
    bare: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue, lines = Venue(ExternalError("no answer"), PermissionError(1, "denied")), list[str]()
    monkeypatch.setattr(watchdog, "act", venue.act)
    monkeypatch.setattr(watchdog, "RETRY_S", 0.0)
    acting = intervention(bare, lines)
    acting.turn("")
    assert venue.orders == []
    acting.turn("it is silent")
    for _ in range(5):
        acting.turn("")  # the stop file stands, so nothing is seen of an engine
    assert len(venue.orders) == 3, "twice failed, once done"
    assert len({order.id for order in venue.orders}) == 1, "the engine carries it out once"
    assert lines[1:3] == ["no answer; tried again", "[Errno 1] denied; tried again"]
    assert lines[-1] == "0 orders were cancelled, stops are kept"


def test_a_pause_lies_between_two_tries(bare: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = Venue(ExternalError("no answer"))
    monkeypatch.setattr(watchdog, "act", venue.act)
    monkeypatch.setattr(watchdog, "RETRY_S", 3_600.0)
    acting = intervention(bare, [])
    acting.turn("it is silent")
    acting.turn("it is silent")
    assert len(venue.orders) == 1


def test_once_a_person_has_resumed_nothing_is_tried_again(
    bare: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = Venue(ExternalError("no answer"))
    monkeypatch.setattr(watchdog, "act", venue.act)
    monkeypatch.setattr(watchdog, "RETRY_S", 0.0)
    acting = intervention(bare, [])
    acting.turn("it is silent")
    clear_stop(bare.journal_dir / ENVIRONMENT)
    acting.turn("")
    assert len(venue.orders) == 1


def test_a_kill_that_acts_is_left_to_it(bare: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = Venue(ExternalError("no answer"))
    monkeypatch.setattr(watchdog, "act", venue.act)
    monkeypatch.setattr(watchdog, "RETRY_S", 0.0)
    acting = intervention(bare, [])
    acting.turn("it is silent")
    command = [sys.executable, "-c", HOLD, str(bare.journal_dir / ENVIRONMENT), "kill"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as person:
        assert person.stdout is not None
        person.stdout.readline()
        acting.turn("")
        assert len(venue.orders) == 1
        person.kill()
    acting.turn("")
    assert len(venue.orders) == 2


def test_a_watchdog_that_starts_goes_on_with_what_was_not_done(
    bare: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue, lines = Venue(ExternalError("no answer")), list[str]()
    monkeypatch.setattr(watchdog, "act", venue.act)
    intervention(bare, lines).turn("it is silent")
    intervention(bare, lines).turn("")
    assert [order.id for order in venue.orders] == [venue.orders[0].id] * 2
    assert any("was not finished (it is silent)" in line for line in lines)
    intervention(bare, lines).turn("")
    assert len(venue.orders) == 2, "it is done"


def test_it_gives_signs_of_life_while_it_acts(
    bare: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = bare.ops_dir(ENVIRONMENT) / "watchdog.json"

    def waits(*_: object) -> KillEnd:
        seen: set[int] = set()
        until_s = time.monotonic() + WAIT_S
        while len(seen) < 3 and time.monotonic() < until_s:
            if beat.exists():
                seen.add(beat.stat().st_mtime_ns)
            time.sleep(0.01)
        assert len(seen) == 3
        return KillEnd(ENVIRONMENT, "kill", True, 0.0)

    monkeypatch.setattr(watchdog, "act", waits)
    monkeypatch.setattr(watchdog, "LOOK_S", 0.02)
    before = threading.active_count()
    intervention(bare, []).turn("it is silent")
    assert threading.active_count() == before
    for limit in ("END_S", "MARGIN_S"):
        monkeypatch.setattr(watchdog, limit, -1_000.0)
    beat.unlink()

    def hangs(*_: object) -> KillEnd:
        time.sleep(0.3)
        return KillEnd(ENVIRONMENT, "kill", True, 0.0)

    monkeypatch.setattr(watchdog, "act", hangs)
    intervention(bare, []).turn("it is silent")
    assert not beat.exists(), "no longer than acting can take"
