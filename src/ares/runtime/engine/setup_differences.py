"""The differences between two setups of a run, in one line: settings, models, candles."""

from __future__ import annotations

from collections.abc import Iterator

from ares.domain.run import RunInstrument, RunSetup
from ares.domain.utc import utc_text

SHOWN = 3
"""Differences that are named; the others are counted."""


def differences(journaled: RunSetup, planned: RunSetup) -> str:
    """Return what ``journaled`` has and ``planned`` has otherwise, as a part of one line.

    Settings are compared by their hash alone, so a difference in them is only reported where
    nothing that they lead to is different.
    """
    found = list(_found(journaled, planned))
    if not found and journaled.hashes != planned.hashes:
        found = ["other settings (none of those that trade)"]
    if not found and journaled.first_state != planned.first_state:
        found = ["other candles or values of series before its window"]
    more = [f"and {len(found) - SHOWN} more differences"] if len(found) > SHOWN else []
    return ", ".join(found[:SHOWN] + more) or "something else"


def _found(old: RunSetup, new: RunSetup) -> Iterator[str]:
    if (old.from_ms, old.to_ms) != (new.from_ms, new.to_ms):
        yield f"the window {_window(old)} (now {_window(new)})"
    keys, new_keys = _keys(old), _keys(new)
    if keys != new_keys:
        yield f"the instruments {' '.join(keys)} (now {' '.join(new_keys)})"
    else:
        for lane, new_lane in zip(old.instruments, new.instruments, strict=False):
            yield from _of_lane(lane, new_lane)
    if old.timeframes != new.timeframes:
        yield f"the timeframes {' '.join(old.timeframes)} (now {' '.join(new.timeframes)})"
    if old.challenger_lanes != new.challenger_lanes:
        yield "challengers (--learn)" if old.challenger_lanes else "no challengers (now --learn)"
    numbers = {"cash": old.cash_quote, "validation_discount": old.validation_discount} | old.rules
    current = {"cash": new.cash_quote, "validation_discount": new.validation_discount} | new.rules
    for name in sorted({*numbers, *current}):
        if numbers.get(name) != current.get(name):
            yield f"{name} {_number(numbers.get(name))} (now {_number(current.get(name))})"
    for name in ("reference", "challenger_rules", "sentiment", "value_series", "user_features"):
        if getattr(old, name) != getattr(new, name):
            yield f"another {name}"


def _of_lane(old: RunInstrument, new: RunInstrument) -> Iterator[str]:
    key = old.spec.instrument.key
    if (old.spec, old.base_ms) != (new.spec, new.base_ms):
        yield f"other candles of {key} (their interval or price grid)"
    if _model(old) != _model(new):
        yield f"{_model(old)} for {key} (now {_model(new)})"
    elif (old.ensemble, old.previous) != (new.ensemble, new.previous):
        yield f"another champion before that of {key}"


def _model(lane: RunInstrument) -> str:
    if lane.ensemble is None:
        return "no model"
    return f"{'champion' if lane.is_champion else 'candidate'} {lane.ensemble.hash[:12]}"


def _keys(setup: RunSetup) -> list[str]:
    return [lane.spec.instrument.key for lane in setup.instruments[: setup.n_instruments]]


def _window(setup: RunSetup) -> str:
    return f"{utc_text(setup.from_ms)} to {utc_text(setup.to_ms)}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.10g}"
