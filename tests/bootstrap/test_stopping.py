"""What a start takes from the stop file, and when the file is cleared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.core.conftest import OWNER, TwoInstruments

from ares.bootstrap.stopping import (
    clear_when_resumed,
    last_address,
    prepare_stop,
    stop_events,
)
from ares.domain.errors import UserError
from ares.domain.order_events import CommandDone, CommandGiven, CommandRefused
from ares.runtime.ops.stop_file import StopOrder, is_stopped, write_stop

if TYPE_CHECKING:
    from ares.domain.events import Effect

ORDER = StopOrder("stop-1", "sim/x", OWNER, "ada", "news", 1, flatten=False)


def test_a_start_begins_with_the_order_and_stays_stopped(tmp_path: Path) -> None:
    two = TwoInstruments()
    assert stop_events(tmp_path, "sim/x", two.state) == []
    write_stop(tmp_path, ORDER)
    (command,) = stop_events(tmp_path, "sim/x", two.state)
    two.take(command)
    assert two.halts == [(-1, "operator")]
    two.take(stop_events(tmp_path, "sim/x", two.state)[0])  # the next start
    assert two.halts == [(-1, "operator")]
    assert is_stopped(tmp_path)


def test_once_a_person_has_resumed_it_is_cleared(tmp_path: Path) -> None:
    two = TwoInstruments()
    write_stop(tmp_path, ORDER)
    two.take(stop_events(tmp_path, "sim/x", two.state)[0])
    watch = clear_when_resumed(tmp_path, lambda _: None)
    part = CommandGiven("r", 0, "ada", "resume", {"instrument": "T0/USDT"})
    done: list[Effect] = [CommandDone("r", 0, "")]
    watch(1, part, done)
    whole = CommandGiven("r", 0, "ada", "resume", {})
    watch(1, whole, [])
    assert is_stopped(tmp_path), "of one instrument, or refused"
    effects = two.command("resume")
    watch(2, whole, effects)
    assert not is_stopped(tmp_path)


def test_a_crash_between_resuming_and_clearing_stops_nothing(tmp_path: Path) -> None:
    two = TwoInstruments()
    write_stop(tmp_path, ORDER)
    two.take(stop_events(tmp_path, "sim/x", two.state)[0])
    two.command("resume")
    assert stop_events(tmp_path, "sim/x", two.state) == []
    assert not is_stopped(tmp_path)


def test_one_that_was_refused_is_given_again_and_stays(tmp_path: Path) -> None:
    two = TwoInstruments()
    write_stop(tmp_path, ORDER)
    late = CommandGiven(ORDER.id, two.at_ms, "ada", "halt", {}, expires_ms=two.at_ms - 1)
    assert any(isinstance(effect, CommandRefused) for effect in two.take(late))
    (command,) = stop_events(tmp_path, "sim/x", two.state)
    assert is_stopped(tmp_path)
    two.take(command)
    assert two.halts == [(-1, "operator")]
    two.take(stop_events(tmp_path, "sim/x", two.state)[0])  # the next start
    assert is_stopped(tmp_path)
    two.command("resume")
    assert stop_events(tmp_path, "sim/x", two.state) == []
    assert not is_stopped(tmp_path)


def test_one_of_another_environment_is_refused(tmp_path: Path) -> None:
    two = TwoInstruments()
    write_stop(tmp_path, ORDER)
    with pytest.raises(UserError, match="move it away"):
        stop_events(tmp_path, "live", two.state)


def test_the_address_is_kept(tmp_path: Path) -> None:
    lines: list[str] = []
    assert last_address(tmp_path) is None
    prepare_stop(tmp_path, "http://127.0.0.1:1", lines.append)
    assert last_address(tmp_path) == "http://127.0.0.1:1"
    prepare_stop(tmp_path / "absent", None, lines.append)
    assert "could not be reserved" in lines[0]
