"""What people want of the engine. Every command gets one answer, once.

| verb | arguments, all texts | |
|---|---|---|
| ``halt``, ``resume`` | ``instrument``, ``reason`` | of entries; a halt cancels those not filled |
| ``flatten`` | ``instrument``, ``reason`` | a halt; and all that is held is sold |
| ``force-exit`` | ``instrument``, ``reason`` | sells one position, without a halt |
| ``settle`` | ``instrument``, ``order``, ``difference``, ``how`` | see ``core.settlement`` |
| ``breaker`` | ``action``, ``name``, ``instrument``, ``reason`` | see ``core.breaker_commands`` |
| ``config`` | ``key``, ``value``, ``rules`` | see ``core.rule_changes`` |
| ``settings`` | ``rules`` | what a start takes over from them, see ``core.take_over`` |
| ``learn`` | ``instrument`` | asks the learner for a training |
| ``promote``, ``rollback``, ``dismiss`` | ``instrument``, ``reason`` | of its slots |
| ``promote`` with ``ensemble`` | ``problem`` | an ensemble of the registry, published before |
| ``symbols`` | ``action``, ``instrument``, ``reason`` | add or remove |
| ``withdraw`` | ``reason`` | cancels entries before a clean stop, without a halt |
| ``snapshot``, ``stop`` | ``reason`` | the loop carries them out once they are answered |

``instrument`` is a key as ``venue:SYMBOL``, or a symbol that one venue has; without it: all.
The version that a command may expect is, of ``config``, how often settings were changed; of slots,
the hash of the champion (its first digits are enough).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ares.core.breaker_commands import change_breaker
from ares.core.challenger import on_change_requested
from ares.core.execution import want_sold, withdraw_entries, work
from ares.core.halts import (
    ALL,
    BY_DIFFERENCE,
    BY_FLATTEN,
    BY_OPERATOR,
    BY_REMOVAL,
    BY_UNKNOWN_ORDER,
    halt,
    is_disputed,
    lift,
)
from ares.core.models import Models
from ares.core.rule_changes import change_rules, modes_by_rules
from ares.core.settlement import settle
from ares.core.slot import lanes_of
from ares.core.slots import champion_lane
from ares.core.state import State
from ares.core.take_over import take_settings
from ares.domain.events import Effect
from ares.domain.model_events import SlotChangeRefused, SlotChangeRequested, TrainingRequested
from ares.domain.order_events import CommandDone, CommandGiven, CommandRefused
from ares.kernel.trade.layout import REASON_OPERATOR

ANSWERS_KEPT = 1_000

Answered = tuple[list[Effect], str]
"""What follows from a command, and the answer."""

VERSION_DIGITS_MIN = 8


def on_command(state: State, event: CommandGiven, models: Models) -> list[Effect]:
    """Carry a command out, or say why not; one that was delivered before is only answered again."""
    answered = state.answers.get(event.id)
    if answered is not None:
        return [answered]
    answer: CommandDone | CommandRefused
    try:
        effects, detail = _carried_out(state, event, models)
    except ValueError as error:
        effects, answer = [], CommandRefused(event.id, state.at_ms, str(error))
    else:
        answer = CommandDone(event.id, state.at_ms, detail)
    state.answers[event.id] = answer
    while len(state.answers) > ANSWERS_KEPT:
        del state.answers[next(iter(state.answers))]
    return [*effects, answer]


def _carried_out(state: State, event: CommandGiven, models: Models) -> Answered:
    """Return the effects and the answer; raise ValueError with the reason of a refusal."""
    if event.expires_ms and state.at_ms > event.expires_ms:
        raise ValueError("it has expired")
    if event.verb not in VERBS:
        raise ValueError(f"unknown command {event.verb}")
    carry_out, allowed = VERBS[event.verb]
    unknown = sorted(event.args.keys() - set(allowed.split()))
    if unknown:
        raise ValueError(f"{event.verb} takes no argument {unknown[0]}")
    return carry_out(state, event, models)


def _scope(state: State, event: CommandGiven) -> int:
    """Return the instrument that a command names; ALL where it names none."""
    key = event.args.get("instrument", "")
    if not key:
        return ALL
    lanes = state.setup.instruments[: state.setup.n_instruments]
    instruments = [lane.spec.instrument for lane in lanes]
    found = [i for i, known in enumerate(instruments) if key in (known.key, known.symbol)]
    if len(found) > 1:
        raise ValueError(f"{key} is traded at several venues: write {instruments[found[0]].key}")
    if not found:
        raise ValueError(f"{key} is not traded here")
    return found[0]


def _instrument(state: State, event: CommandGiven) -> int:
    """Return the instrument that a command must name."""
    scope = _scope(state, event)
    if scope == ALL:
        raise ValueError(f"{event.verb} is of one instrument: name it")
    return scope


def _key(state: State, i: int) -> str:
    return state.setup.instruments[i].spec.instrument.key


def _lanes(state: State, scope: int) -> Sequence[int]:
    return range(len(state.lane_orders)) if scope == ALL else lanes_of(state.setup, scope)


def _cause(event: CommandGiven) -> str:
    """Return who wants it, and why."""
    return f"{event.who}: {event.args.get('reason', '')}".rstrip(": ")


def _entries(state: State, scope: int) -> str:
    return "entries" if scope == ALL else f"entries of {_key(state, scope)}"


def _work_all(state: State, lanes: Sequence[int]) -> list[Effect]:
    effects: list[Effect] = []
    for lane in lanes:
        effects += work(state, lane)
    return effects


# --- entries and positions ---------------------------------------------------------------------


def _halt(state: State, event: CommandGiven, _: Models) -> Answered:
    """Halt entries, and cancel what is still to be filled of them."""
    scope = _scope(state, event)
    halted = halt(state, scope, BY_OPERATOR, needs_person=True, detail=_cause(event))
    effects = [*halted, *_work_all(state, _lanes(state, scope))]
    done = "are halted" if halted else "were halted already"
    return effects, f"{_entries(state, scope)} {done}"


def _resume(state: State, event: CommandGiven, _: Models) -> Answered:
    scope = _scope(state, event)
    stands = [h for h in state.halts if h.needs_person and scope in (ALL, h.instrument)]
    if not stands:
        raise ValueError("no halt stands that a person must end")
    effects: list[Effect] = []
    kept = 0
    for h in stands:
        if h.reason == BY_DIFFERENCE:
            kept += 1
        else:
            effects += lift(state, h.instrument, h.reason)
    if kept and not effects:
        raise ValueError("differences stand: settle them first")
    if any(h.reason == BY_UNKNOWN_ORDER for h in stands):  # nothing was sent meanwhile
        effects += _work_all(state, range(len(state.lane_orders)))
    left = f"; {kept} for differences stand: settle them" if kept else ""
    ended = len(stands) - kept
    return effects, f"{ended} {'halt' if ended == 1 else 'halts'} ended{left}"


def _flatten(state: State, event: CommandGiven, _: Models) -> Answered:
    """Halt entries, cancel those on their way, and sell all that is held: see ``execution``."""
    scope = _scope(state, event)
    halted = halt(state, scope, BY_FLATTEN, needs_person=True, detail=_cause(event))
    effects: list[Effect] = [*halted, *_work_all(state, _lanes(state, scope))]
    selling = _selling(state, _lanes(state, scope))
    return effects, f"{_entries(state, scope)} are halted; {selling}"


def _force_exit(state: State, event: CommandGiven, _: Models) -> Answered:
    i = _instrument(state, event)
    lanes = lanes_of(state.setup, i)
    selling = [lane for lane in lanes if int(state.trade.book[lane]["exit_reason"])]
    wanted = [lane for lane in lanes if want_sold(state, lane, REASON_OPERATOR)]
    if not wanted and not selling:
        raise ValueError(f"nothing of {_key(state, i)} is held")
    return _work_all(state, wanted), _selling(state, lanes)


def _selling(state: State, lanes: Sequence[int]) -> str:
    """Return what is being sold of some lanes, and what waits."""
    held = [lane for lane in lanes if int(state.trade.book[lane]["position_lots"])]
    waiting = [lane for lane in held if is_disputed(state, lane)]
    if not held:
        return "nothing is held"
    if not state.venue_up:
        return f"{_positions(len(held))} sold once the venue is back"
    if state.reconciling:
        return f"{_positions(len(held))} sold once the venue has been reconciled"
    text = f"{_positions(len(held) - len(waiting))} being sold"
    if not waiting:
        return text
    return f"{text}; {_positions(len(waiting))} not: differences stand, settle them first"


def _positions(n: int) -> str:
    return "1 position is" if n == 1 else f"{n} positions are"


# --- breakers, settings, instruments, models ----------------------------------------------------


def _breaker(state: State, event: CommandGiven, _: Models) -> Answered:
    lanes = _lanes(state, _scope(state, event))
    action, name = event.args.get("action", ""), event.args.get("name", "")
    effects, detail = change_breaker(state, action, name, lanes, _cause(event))
    return [*effects, *_work_all(state, range(len(state.lane_orders)))], detail


def _config(state: State, event: CommandGiven, _: Models) -> Answered:
    changed = change_rules(state, event.who, event.args, event.version)
    detail = f"{changed.key} is {changed.value} (version {changed.version} of the settings)"
    modes = modes_by_rules(state)
    return [changed, *modes, *_work_all(state, range(len(state.lane_orders)))], detail


def _settings(state: State, event: CommandGiven, _: Models) -> Answered:
    effects, detail = take_settings(state, event.who, event.args)
    return [
        *effects,
        *modes_by_rules(state),
        *_work_all(state, range(len(state.lane_orders))),
    ], detail


def _symbols(state: State, event: CommandGiven, _: Models) -> Answered:
    """Let an instrument be traded no more, or again: its lanes stay what they are."""
    action = event.args.get("action", "")
    if action == "add":
        return _add(state, event)
    if action != "remove":
        raise ValueError(f"unknown action {action} on symbols: add, remove")
    i = _instrument(state, event)
    for lane in lanes_of(state.setup, i):
        placed = state.lane_orders[lane]
        if int(state.trade.book[lane]["position_lots"]) or placed.entry:
            raise ValueError(f"{_key(state, i)} is not flat: `ares flatten` first")
    halted = halt(state, i, BY_REMOVAL, detail=_cause(event))
    if not halted:
        raise ValueError(f"{_key(state, i)} was removed already")
    return [*halted], f"{_key(state, i)} is not traded any more"


def _add(state: State, event: CommandGiven) -> Answered:
    try:
        i = _instrument(state, event)
    except ValueError:
        raise ValueError(
            f"{event.args.get('instrument', '')} is not an instrument of this run, and instruments"
            " cannot be added to a run: add it to symbols in ares.yaml and begin a new run"
        ) from None
    lifted = lift(state, i, BY_REMOVAL)
    if not lifted:
        raise ValueError(f"{_key(state, i)} is traded already")
    return [*lifted], f"{_key(state, i)} is traded again"


def _learn(state: State, event: CommandGiven, _: Models) -> Answered:
    i = _instrument(state, event)
    if not state.setup.challenger_lanes:
        raise ValueError("no learner runs beside this engine")
    requested = TrainingRequested(i, state.at_ms, event.who)
    return [requested], f"a training of {_key(state, i)} is requested"


def _promote(state: State, event: CommandGiven, models: Models) -> Answered:
    """Promote the challenger; or answer for an ensemble that the loop published just before, see
    ``runtime.engine.publishing``.
    """
    ensemble_hash = event.args.get("ensemble", "")
    if not ensemble_hash:
        return _change_slots(state, event, models)
    i = _instrument(state, event)
    if event.args.get("problem"):
        raise ValueError(event.args["problem"])
    champion = champion_lane(state, i)
    if champion is None or state.slots[champion].hash != ensemble_hash:
        raise ValueError(f"{ensemble_hash[:12]} is not the champion of {_key(state, i)}")
    return [], f"the champion of {_key(state, i)} is {ensemble_hash[:12]}"


def _change_slots(state: State, event: CommandGiven, models: Models) -> Answered:
    i, now_ms = _instrument(state, event), state.at_ms
    champion = champion_lane(state, i)
    present = "" if champion is None else state.slots[champion].hash
    if event.version and not (
        len(event.version) >= VERSION_DIGITS_MIN and present.startswith(event.version)
    ):
        raise ValueError(f"the champion is {present[:12] or 'none'} by now, not {event.version}")
    action, reason = event.verb, event.args.get("reason", "")
    assert action in ("promote", "rollback", "dismiss")
    requested = SlotChangeRequested(now_ms, i, action, event.who, reason)  # type: ignore[arg-type] # checked above
    effects = on_change_requested(state, requested, models)
    for effect in effects:
        if isinstance(effect, SlotChangeRefused):
            raise ValueError(effect.reason)  # noqa: TRY004 - a refusal, as any other
    champion = champion_lane(state, i)
    after = "none" if champion is None else state.slots[champion].hash[:12]
    return effects, f"{action} of {_key(state, i)}: the champion is {after}"


def _withdraw(state: State, _: CommandGiven, __: Models) -> Answered:
    """Cancel entries before a clean stop, without a halt."""
    effects = withdraw_entries(state)
    return effects, f"{len(effects)} entries are being cancelled"


def _of_the_loop(_: State, event: CommandGiven, __: Models) -> Answered:
    return [], "a snapshot is written" if event.verb == "snapshot" else "the engine stops"


def _settle(state: State, event: CommandGiven, _: Models) -> Answered:
    return settle(state, _scope(state, event), event)


VERBS: dict[str, tuple[Callable[[State, CommandGiven, Models], Answered], str]] = {
    "halt": (_halt, "instrument reason"),
    "resume": (_resume, "instrument reason"),
    "flatten": (_flatten, "instrument reason"),
    "force-exit": (_force_exit, "instrument reason"),
    "settle": (_settle, "instrument order outcome difference how reason"),
    "breaker": (_breaker, "action name instrument reason"),
    "config": (_config, "key value rules reason"),
    "settings": (_settings, "rules"),
    "symbols": (_symbols, "action instrument reason"),
    "learn": (_learn, "instrument reason"),
    "promote": (_promote, "instrument ensemble problem reason"),
    "rollback": (_change_slots, "instrument reason"),
    "dismiss": (_change_slots, "instrument reason"),
    "withdraw": (_withdraw, "reason"),
    "snapshot": (_of_the_loop, "reason"),
    "stop": (_of_the_loop, "reason"),
}
"""Verb -> what carries it out, and the arguments that it takes."""
