"""Explains one closing instant of a run, from its journal and its own models: `ares why`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares.core.facts import mode_name
from ares.core.initial_state import rules_in_force
from ares.core.models import Scorer, Scorers
from ares.core.slots import champion_lane
from ares.core.state import State
from ares.domain.events import (
    BarsClosed,
    DecisionMade,
    Effect,
    SeriesPublished,
)
from ares.domain.instrument import MONEY_DECIMALS
from ares.domain.run import RunSetup
from ares.journal.run import JournalEntry, JournalReader, journaled_now
from ares.kernel.bar_aggregation import BarSeries, ClosingBars, FeatureRows
from ares.kernel.ensemble import FRESH_INTERVALS
from ares.kernel.features import FEATURE_NAMES, N_FEATURES
from ares.kernel.features.columns import append_columns, past_warmup
from ares.kernel.features.series import column_names_of
from ares.kernel.features.user import UserFeatures
from ares.kernel.live import (
    OUT_BARRIER,
    OUT_CONFIDENCE,
    OUT_EDGE,
    OUT_MODE,
    OUT_P,
    KeptRows,
    scan_closes,
)
from ares.kernel.resample import resample
from ares.kernel.trade.layout import (
    BREAKER_NAMES,
    BREAKER_STATUS_NAMES,
    N_BREAKERS,
    REFUSAL_NAMES,
)
from ares.runtime.engine.bar_panel import BarPanel, ClosedBars
from ares.runtime.engine.hot_swap import Opener
from ares.runtime.engine.series import history_of_events, run_columns
from ares.runtime.replay.explanation import (
    Explanation,
    TimeframeVote,
    action_of,
    edge_limit,
    facts_of,
    known,
    readable,
    row_of,
    target_of,
)
from ares.runtime.replay.restep import first_state, nearest_state, open_run, stepping
from ares.runtime.replay.user_columns import base_bars_of, own_columns

TOP_FEATURES = 5
UNITS = 10.0**MONEY_DECIMALS


def explain(
    folder: Path,
    instrument: str,
    at_ms: int | None,
    scorers: Scorers,
    user: UserFeatures | None = None,
    open_ensemble: Opener | None = None,
) -> Explanation:
    """Explain the newest closing instant of ``instrument`` at or before ``at_ms``, by the rules in
    force then.

    instrument    : key or symbol. Raises UserError: not in the run, or no decision by then.
    user          : the user's own features, where the run has any.
    open_ensemble : opens the ensembles that were published during the run.
    """
    setup = open_run(folder)
    i = row_of(setup, instrument)
    target, since = target_of(journaled_now(folder), i, at_ms, instrument)
    upto = JournalReader(folder, target.seq)
    state = _stepped(folder, setup, upto, scorers, user, open_ensemble)
    champion = champion_lane(state, i)
    lane = i if champion is None else champion
    slot = state.slots[lane]
    if slot.ensemble is not None and open_ensemble is not None:
        scorers = scorers | open_ensemble(slot.ensemble)
    closing, outputs = _decision(target, setup, lane)
    medians = _medians(folder, setup, upto, i, user)
    facts = facts_of(since, lane)
    rules = rules_in_force(state)
    action, sentence = _action(state, lane, outputs, facts, rules)
    return Explanation(
        environment=setup.environment,
        instrument=setup.instruments[i].spec.instrument.key,
        closing_ms=closing.ts_ms,
        seq=target.seq,
        bar=_bar(closing, i),
        flat=bool(np.frombuffer(closing.flat, np.bool_)[i]),
        votes=_votes(state, setup, lane, closing.ts_ms, medians, scorers),
        p=known(outputs[OUT_P]),
        edge_bps=known(outputs[OUT_EDGE]),
        edge_bps_min=rules["edge_bps_min"],
        barrier_bps=known(outputs[OUT_BARRIER]),
        mode=mode_name(int(outputs[OUT_MODE])),
        mode_confidence=float(outputs[OUT_CONFIDENCE]),
        slot=slot.stage,
        action=action,
        sentence=sentence,
        limits=_limits(state, lane, rules),
        facts=tuple(readable(e) for e in facts),
    )


def _stepped(
    folder: Path,
    setup: RunSetup,
    upto: JournalReader,
    scorers: Scorers,
    user: UserFeatures | None,
    open_ensemble: Opener | None,
) -> State:
    """Return the state after the last entry of ``upto``, stepped from the nearest snapshot."""
    state = nearest_state(folder, setup, upto.seq_max - 1)
    for _ in stepping(state, setup, upto, scorers, user, open_ensemble):
        pass
    return state


def _decision(
    target: JournalEntry, setup: RunSetup, lane: int
) -> tuple[BarsClosed, NDArray[np.float64]]:
    """Return the bars of a journaled decision, and what it was made from in one lane."""
    assert isinstance(target.event, BarsClosed)
    decided = next(effect for effect in target.effects if isinstance(effect, DecisionMade))
    outputs = np.frombuffer(decided.outputs).reshape(-1, len(setup.instruments))
    return target.event, outputs[:, lane]


def _bar(closing: BarsClosed, i: int) -> dict[str, float]:
    ohlcv = np.frombuffer(closing.ohlcv).reshape(-1, 5)[i].tolist()
    return dict(zip(("open", "high", "low", "close", "volume"), ohlcv, strict=True))


def _medians(
    folder: Path, setup: RunSetup, upto: JournalReader, i: int, user: UserFeatures | None
) -> dict[int, NDArray[np.float32]]:
    """Return each timeframe's median feature row of instrument ``i`` over the run so far."""
    state = first_state(folder, setup)
    closings, events = ClosedBars(), list[SeriesPublished]()
    for entry in upto:
        closings.add(entry)
        if isinstance(entry.event, SeriesPublished):
            events.append(entry.event)
    history = history_of_events(events, len(setup.series))
    feed = closings.feed(setup).for_instruments()
    n, m = feed.n_instruments, len(setup.timeframes)
    capacity = 2 * len(feed) * n + m * n
    intervals, due = state.intervals, np.zeros((n, m), np.bool_)
    kept = KeptRows(np.empty((capacity, N_FEATURES), np.float32), np.empty((capacity, 3), np.int64))
    n_rows = scan_closes(
        feed.close_ms,
        ClosingBars(feed.present, feed.ohlcv, feed.flat),
        intervals._replace(base_ms=intervals.base_ms[:n]),
        BarSeries(*(array[: n * m] for array in state.bar_series)),
        FeatureRows(np.ascontiguousarray(state.features[:n, :, :N_FEATURES]), due, due.copy()),
        kept,
    )
    rows, origin = kept.values[:n_rows], kept.origin[:n_rows]
    medians = {}
    for j in range(len(setup.timeframes)):
        of_j = (origin[:, 1] == i) & (origin[:, 2] == j)
        if not of_j.any():
            continue
        table = rows[of_j]
        closed_ms = feed.close_ms[origin[of_j, 0]]
        if state.bar_windows is not None:
            own = _own(state, setup, feed, i, j, closed_ms, user, table)
            table, closed_ms = (
                np.hstack([table, own])[past_warmup(own)],
                closed_ms[past_warmup(own)],
            )
        table = append_columns(table, run_columns(state, history, i, closed_ms))
        if len(table):
            medians[j] = _median(table)
    return medians


def _own(
    first: State,
    setup: RunSetup,
    feed: BarPanel,
    i: int,
    j: int,
    closed_ms: NDArray[np.int64],
    user: UserFeatures | None,
    table: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the user's columns of one series, of the bars that closed at these instants.

    table : the kernel's features of those bars.
    """
    base_ms, timeframe = setup.instruments[i].base_ms, setup.timeframes[j]
    bars = resample(base_bars_of(feed, i, base_ms), base_ms, timeframe.ms)
    wanted = np.isin(bars.ts_ms + timeframe.ms, closed_ms)
    values = np.full((len(bars), N_FEATURES), np.nan, np.float32)
    values[np.searchsorted(bars.ts_ms + timeframe.ms, closed_ms)] = table
    return own_columns(first, i * len(setup.timeframes) + j, bars, wanted, user, values)[wanted]


def _votes(
    state: State,
    setup: RunSetup,
    i: int,
    now_ms: int,
    medians: dict[int, NDArray[np.float32]],
    scorers: Scorers,
) -> tuple[TimeframeVote, ...]:
    ensemble = state.slots[i].ensemble
    votes = []
    for member in ensemble.members if ensemble else ():
        j = setup.timeframes.index(member.timeframe)
        closed_ms = int(state.latest.close_ms[i, j])
        p = known(state.latest.p[i, j])
        row, names = state.features[i, j], FEATURE_NAMES + setup.user_features
        names += tuple(name for spec in setup.series for name in column_names_of(spec))
        scorer = scorers[member.package_hash]
        top = () if p is None or j not in medians else _top(row, names, medians[j], p, scorer)
        fresh = now_ms - closed_ms < FRESH_INTERVALS * member.timeframe.ms
        votes.append(TimeframeVote(member.timeframe.value, member.weight, p, closed_ms, fresh, top))
    return tuple(votes)


def _median(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the median of each column, NaN where all its values are NaN."""
    any_value = ~np.isnan(table).all(axis=0)
    median = np.full(table.shape[1], np.nan, np.float32)
    median[any_value] = np.nanmedian(table[:, any_value], axis=0)
    return median


def _top(
    row: NDArray[np.float32],
    names: tuple[str, ...],
    median: NDArray[np.float32],
    p: float,
    scorer: Scorer,
) -> tuple[tuple[str, float, float], ...]:
    """Return the features with the largest effect on the score when they take their median."""
    without = np.repeat(row[None, :], len(names), axis=0)
    np.fill_diagonal(without, median)
    effect = p - scorer(without)
    order = np.argsort(-np.abs(effect), kind="stable")[:TOP_FEATURES]
    return tuple((names[k], float(row[k]), float(effect[k])) for k in order if effect[k])


def _action(
    state: State,
    i: int,
    outputs: NDArray[np.float64],
    facts: tuple[Effect, ...],
    rules: dict[str, float],
) -> tuple[str, str]:
    """Return what was done, and a sentence with the reason."""
    found = action_of(facts, rules, outputs)
    if found is not None:
        return found
    edge, limit = float(outputs[OUT_EDGE]), edge_limit(rules)
    book, virtual = state.trade.book[i], state.trade.virtual[i]
    if int(book["entry_open_lots"]) or int(book["exit_reason"]) or int(book["stop_filling"]):
        return "order pending", "an order is pending until a bar with volume fills it"
    if int(book["position_lots"]) > 0:
        return "hold", "a position is open; no barrier, time limit or signal closes it"
    if int(virtual["status"]) != 0:
        code = REFUSAL_NAMES[int(virtual["code"])].replace("_", " ")
        return "virtual trade open", f"a virtual trade is open (refused: {code}); one at a time"
    if state.slots[i].ensemble is None:
        return "none", "the instrument has no ensemble: it does not trade"
    if np.isnan(edge):
        return "none", "too few timeframes have a warm and fresh score: the ensemble has no output"
    return "none", f"the edge of {edge:+.1f} bps is below {limit}"


def _limits(state: State, i: int, rules: dict[str, float]) -> dict[str, Any]:
    account, book = state.trade.account[0], state.trade.book[i]
    equity = int(account["equity"]) / UNITS
    annual = float(np.sqrt(book["var_fast"] * state.params.specs[i]["bars_per_year"]))
    open_breakers = [
        f"{BREAKER_NAMES[k]} {BREAKER_STATUS_NAMES[int(account['breaker_status'][k])]}"
        for k in range(N_BREAKERS)
        if account["breaker_status"][k]
    ]
    if book["volatility_status"]:
        open_breakers.append(f"volatility {BREAKER_STATUS_NAMES[int(book['volatility_status'])]}")
    return {
        "equity_quote": equity,
        "cash_quote": int(account["cash"]) / UNITS,
        "exposure_share": int(account["gross"]) / int(account["equity"]),
        "exposure_share_max": rules["exposure_max"],
        "position_quote_max": rules["position_max"] * equity,
        "drawdown_share": 1.0 - int(account["equity"]) / int(account["peak_equity"]),
        "drawdown_share_max": rules["drawdown_max"],
        "day_share": int(account["equity"]) / int(account["day_equity"]) - 1.0,
        "daily_loss_share_max": rules["daily_loss_max"],
        "volatility_annual": annual,
        "volatility_target": rules["volatility_target"],
        "breakers": open_breakers,
    }
