"""Explains one closing instant from the journal alone, for a run that other code made.

Its state cannot be recomputed then, so the explanation has no scores by timeframe and no limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ares.core.facts import mode_name
from ares.core.slot_history import SlotHistory
from ares.domain.events import BarsClosed, ConfigChanged, DecisionMade
from ares.journal.run import JournalReader, journaled_now
from ares.kernel.live import OUT_BARRIER, OUT_CONFIDENCE, OUT_EDGE, OUT_MODE, OUT_P
from ares.runtime.engine.code_version import named_changes
from ares.runtime.replay.explanation import (
    Explanation,
    action_of,
    facts_of,
    known,
    readable,
    row_of,
    target_of,
)
from ares.runtime.replay.restep import open_run


def explain_journal(
    folder: Path, instrument: str, at_ms: int | None, changed: Sequence[str]
) -> Explanation:
    """Explain the newest closing instant of ``instrument`` at or before ``at_ms``.

    changed : the parts of Ares that are not the ones of the run.
    Raises UserError where the instrument is not in the run, or has no decision by then.
    """
    setup = open_run(folder)
    i = row_of(setup, instrument)
    target, since = target_of(journaled_now(folder), i, at_ms, instrument)
    history, rules = SlotHistory(), dict(setup.rules)
    for entry in JournalReader(folder, target.seq - 1):
        history.add(entry.event, entry.effects)
        for effect in entry.effects:
            if isinstance(effect, ConfigChanged):
                rules |= effect.rules
    champion = history.champion(i)
    lane = i if champion is None else champion
    assert isinstance(target.event, BarsClosed)
    decision = next(e for e in target.effects if isinstance(e, DecisionMade))
    outputs = np.frombuffer(decision.outputs).reshape(-1, len(setup.instruments))[:, lane]
    ohlcv = np.frombuffer(target.event.ohlcv).reshape(-1, 5)[i]
    facts = facts_of(since, lane)
    action, reason = action_of(facts, rules, outputs) or ("none", "no order, and no trade closed")
    stage = history.slots[lane].stage
    return Explanation(
        environment=setup.environment,
        instrument=setup.instruments[i].spec.instrument.key,
        closing_ms=target.event.ts_ms,
        seq=target.seq,
        bar=dict(zip(("open", "high", "low", "close", "volume"), ohlcv.tolist(), strict=True)),
        flat=bool(np.frombuffer(target.event.flat, np.bool_)[i]),
        votes=(),
        p=known(outputs[OUT_P]),
        edge_bps=known(outputs[OUT_EDGE]),
        edge_bps_min=rules["edge_bps_min"],
        barrier_bps=known(outputs[OUT_BARRIER]),
        mode=mode_name(int(outputs[OUT_MODE])),
        mode_confidence=float(outputs[OUT_CONFIDENCE]),
        slot=stage,
        action=action,
        sentence=f"{reason} (from the journal alone: the run was made by another version of Ares,"
        f" {named_changes(changed)})",
        limits={},
        facts=tuple(readable(effect) for effect in facts),
    )
