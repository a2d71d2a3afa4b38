"""The stop file and an engine's start: what stands is carried out before all else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ares.domain.events import Effect, Event
from ares.domain.order_events import CommandDone, CommandGiven, CommandRefused
from ares.runtime.ops.stop_file import StopOrder, clear_stop, is_stopped, read_stop, reserve

if TYPE_CHECKING:
    from ares.core.state import State

ADDRESS = "address"
"""Where a rehearsal's server was when the engine last started, beside its journal: who must stop
it in a hurry does not look for it."""


def prepare_stop(folder: Path, address: str | None, say: Callable[[str], None]) -> None:
    """Reserve the stop file of an engine that starts, and note where its venue is."""
    try:
        reserve(folder)
        if address is not None:
            (folder / ADDRESS).write_text(address)
    except OSError as error:
        say(f"the stop file could not be reserved ({error.strerror}): free disk space")


def last_address(folder: Path) -> str | None:
    """Return the address with which the engine was last started; None: with none."""
    with suppress(OSError):
        return (folder / ADDRESS).read_text().strip() or None
    return None


def stop_events(folder: Path, environment: str, state: State) -> list[Event]:
    """Return the command of the stop file, with which a start begins; none where there is none, or
    where a person has resumed since.

    Raises UserError for a file of another environment, ExternalError for a damaged one.
    """
    order = read_stop(folder, environment, state.setup.owner)
    if order is None:
        return []
    command_id = order.id
    while isinstance(state.answers.get(command_id), CommandRefused):
        command_id += "-start"  # it had expired, say: under its old id it is refused for ever
    is_done = isinstance(state.answers.get(command_id), CommandDone)
    if is_done and not any(h.needs_person for h in state.halts):
        clear_stop(folder)  # a person has resumed; the engine ended before the file was cleared
        return []
    return [stop_command(msgspec.structs.replace(order, id=command_id), state.at_ms)]


def stop_command(order: StopOrder, at_ms: int) -> CommandGiven:
    """Return the engine's command of an order."""
    return CommandGiven(order.id, at_ms, order.who, order.verb, {"reason": order.reason})


def clear_when_resumed(
    folder: Path, say: Callable[[str], None]
) -> Callable[[int, Event, list[Effect]], None]:
    """Return a watcher that clears the stop file once a person has resumed everything."""

    def watch(_seq: int, event: Event, effects: list[Effect]) -> None:
        if not isinstance(event, CommandGiven) or event.verb != "resume":
            return
        if event.args.get("instrument") or not any(isinstance(e, CommandDone) for e in effects):
            return
        try:
            if is_stopped(folder):
                clear_stop(folder)
        except OSError as error:
            say(f"the stop file could not be cleared ({error.strerror})")

    return watch
