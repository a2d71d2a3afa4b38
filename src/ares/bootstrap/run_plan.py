"""The plan of a run that begins: its instruments, models, rules, series and first state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.venue import SIMULATED, VenueTraits

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ares.domain.instrument import Instrument, InstrumentSpec
    from ares.kernel.features.user import UserFeatures
    from ares.runtime.engine.plan import RunPlan, SlotChoice
    from ares.store.candles import CandleStore

    WindowOf: TypeAlias = Callable[[CandleStore, Sequence[Instrument]], tuple[int, int | None]]


def plan_of(
    workspace: Workspace,
    database: Engine,
    own: UserFeatures | None,
    environment: str,
    symbols: tuple[str, ...] | None,
    learn: bool,
    window_of: WindowOf,
    spec_of: Callable[[Instrument], InstrumentSpec] | None = None,
    traits: VenueTraits = SIMULATED,
) -> tuple[RunPlan, list[str]]:
    """Return the plan of a run that begins, not yet named, and remarks on it.

    own       : the user's own features.
    environment : whose champions it has.
    window_of : the instants between which it trades; without a second one it has no end.
    spec_of   : the grid of an instrument at its venue; None: that of the stored candles.

    Raises UserError where there is nothing to run on, or with.
    """
    from ares.bootstrap import run_choices as chosen
    from ares.bootstrap.trade_rules import challenger_rules_of, rules_of
    from ares.bootstrap.training import configured_instruments
    from ares.observe.user_features_check import require_no_leak
    from ares.runtime.engine.plan import plan_run
    from ares.runtime.training.instrument_selection import instruments_of
    from ares.store.candles import CandleStore
    from ares.store.series import series_history

    settings = workspace.settings
    store = CandleStore(database, workspace.cache_dir)
    keys, left_out = instruments_of(store, configured_instruments(settings), symbols)
    from_ms, to_ms = window_of(store, keys)
    known_ms = from_ms if to_ms is None else to_ms
    choices, remarks = chosen.choices_of(workspace, keys, own, environment)
    user = chosen.features_of(workspace, choices, own)
    cards = chosen.cards_of(workspace, choices)
    reference = chosen.reference_of(settings, store, cards)
    if to_ms is not None:
        remarks += chosen.in_sample(cards, from_ms)
    if reference is not None and reference not in keys:
        choices.append(chosen.without_model(reference))
    require_currency(choices, settings.account.currency)
    require_no_leak(user, store, keys, settings.weights, known_ms)
    series = chosen.series_of(settings, database, cards, learn)
    instruments = [choice.instrument for choice in choices]
    history = series_history(database, series, instruments, known_ms)
    remarks += chosen.missing_in_window(series, history, from_ms)
    plan = plan_run(
        store, choices, list(settings.weights), reference,
        from_ms=from_ms, to_ms=to_ms, cash_quote=settings.account.capital_quote,
        rules=rules_of(settings),
        validation_discount=settings.continuous_learning.confidence.validation_discount,
        settings_hash=settings.hash, user=user,
        challenger_lanes=learn, challenger_rules=challenger_rules_of(settings),
        series=series, history=history, spec_of=spec_of, traits=traits,
    )  # fmt: skip
    return plan, [*left_out, *remarks]


def require_currency(choices: Sequence[SlotChoice], currency: str) -> None:
    """Raise UserError where an instrument is not quoted in the account's currency."""
    for choice in choices:
        if choice.instrument.quote != currency:
            raise UserError(
                f"{choice.instrument.key} is not quoted in {currency}, the account's currency:"
                " change account.currency or symbols"
            )
