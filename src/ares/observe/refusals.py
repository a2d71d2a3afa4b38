"""Why signals of a run were refused in a window, by instrument and code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from ares.domain.errors import UserError
from ares.domain.events import RunStarted, SignalRefused, TradeClosed
from ares.domain.instrument import is_called
from ares.domain.run import RunSetup
from ares.journal.run import JournalEntry, entries


@dataclass(frozen=True, slots=True)
class Refusal:
    """The refusals of one instrument for one reason.

    edge_bps_max : largest expected edge among them.
    virtual      : closed virtual trades of such signals; virtual_mean_bps: their mean net result.
    """

    instrument: str
    code: str
    signals: int
    first_ms: int
    last_ms: int
    edge_bps_max: float
    virtual: int
    virtual_mean_bps: float | None


@dataclass(frozen=True, slots=True)
class RunRefusals:
    """The refusals of a run in a window, the most frequent first."""

    environment: str
    from_ms: int
    to_ms: int
    rows: tuple[Refusal, ...]


def refusals(folder: Path, instrument: str | None, from_ms: int, to_ms: int) -> RunRefusals:
    """Return the refusals between two times.

    instrument : symbol or key; None: all.

    Raises UserError for an instrument that the run does not have.
    """
    return refusals_in(entries(folder), folder.name, instrument, from_ms, to_ms)


def refusals_in(
    journal: Iterable[JournalEntry], name: str, instrument: str | None, from_ms: int, to_ms: int
) -> RunRefusals:
    """Return the refusals of a journal; see ``refusals``."""
    setup: RunSetup | None = None
    refused: dict[tuple[str, str], list[SignalRefused]] = {}
    virtual: dict[tuple[str, str], list[float]] = {}
    first_ms, last_ms = to_ms, from_ms
    for entry in journal:
        if isinstance(entry.event, RunStarted):
            setup = entry.event.setup
        for effect in entry.effects:
            if setup is None or not isinstance(effect, SignalRefused | TradeClosed):
                continue
            key = setup.keys[effect.instrument % setup.n_instruments]
            if isinstance(effect, SignalRefused) and from_ms <= effect.ts_ms < to_ms:
                refused.setdefault((key, effect.code), []).append(effect)
            elif _virtual_in(effect, from_ms, to_ms):
                virtual.setdefault((key, effect.code), []).append(effect.net_bps)
    if setup is None:
        raise UserError(f"{name}: the journal is empty: run it again")
    wanted = _keys(setup, instrument)
    rows = [
        _row(key, code, signals, virtual.get((key, code), []))
        for (key, code), signals in refused.items()
        if key in wanted
    ]
    first_ms = max(from_ms, setup.from_ms)
    last_ms = min(to_ms, setup.to_ms) if setup.to_ms else to_ms
    ranked = sorted(rows, key=lambda row: (-row.signals, row.instrument, row.code))
    return RunRefusals(setup.environment, first_ms, last_ms, tuple(ranked))


def _virtual_in(
    effect: SignalRefused | TradeClosed, from_ms: int, to_ms: int
) -> TypeGuard[TradeClosed]:
    return isinstance(effect, TradeClosed) and effect.virtual and from_ms <= effect.entry_ms < to_ms


def _keys(setup: RunSetup, instrument: str | None) -> set[str]:
    """Return the keys of a symbol or key, or all; raise UserError where the run has none."""
    keys = {key for key in setup.keys if instrument is None or is_called(key, instrument)}
    if not keys:
        known = ", ".join(setup.keys)
        raise UserError(f"{setup.environment} has no {instrument}: it has {known}")
    return keys


def _row(key: str, code: str, signals: list[SignalRefused], virtual: list[float]) -> Refusal:
    return Refusal(
        instrument=key,
        code=code,
        signals=len(signals),
        first_ms=min(each.ts_ms for each in signals),
        last_ms=max(each.ts_ms for each in signals),
        edge_bps_max=max(each.edge_bps for each in signals),
        virtual=len(virtual),
        virtual_mean_bps=sum(virtual) / len(virtual) if virtual else None,
    )
