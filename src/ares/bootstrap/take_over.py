"""What a start of a run takes over from settings and registry, as events; the rest is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ares.config.workspace import Workspace
from ares.domain.instrument import is_called

if TYPE_CHECKING:
    from ares.core.state import State
    from ares.domain.events import Event
    from ares.runtime.registry.registry_state import RegistryState

NEW_RUN = "only a new run takes it (docs/PAPER.md)"
START = "start"
"""Who gives the commands that a start gives by itself."""


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What a start takes over.

    events  : to be processed before the first bar.
    remarks : what the run keeps otherwise than settings and registry have it, one line each.
    """

    events: tuple[Event, ...] = ()
    remarks: tuple[str, ...] = ()


def taken_over(
    workspace: Workspace, state: State, learn: bool, id_: str, requested: Sequence[str] = ()
) -> TakenOver:
    """Return what has changed in settings and registry since the run last took them over.

    learn : whether this start asks for a learner. id_: of the command that carries the settings.
    requested : symbols or keys that this start names; none: those of the settings.
    """
    from ares.runtime.registry.model_journal import read_registry

    settings_events, remarks = _of_settings(workspace, state, id_)
    registry = read_registry(workspace.journal_dir)
    model_events, refused = _of_registry(workspace, registry, state)
    return TakenOver(
        (*settings_events, *model_events),
        (
            *remarks,
            *refused,
            *_of_symbols(workspace, state, requested),
            *_of_new_runs(workspace, state, learn),
        ),
    )


def _of_settings(workspace: Workspace, state: State, id_: str) -> tuple[list[Event], list[str]]:
    import msgspec

    from ares.bootstrap.trade_rules import run_rules
    from ares.core.rule_changes import limits_of
    from ares.core.take_over import VERB, edited_rules
    from ares.domain.order_events import CommandGiven

    wanted = run_rules(workspace.settings, state.setup.environment, state.setup.keys)
    edited = edited_rules(state, wanted)
    events: list[Event] = []
    if any(limits_of(name) is not None for name in edited):
        rules = msgspec.json.encode(dict(sorted(wanted.items()))).decode()
        events.append(CommandGiven(id_, state.at_ms, START, VERB, {"rules": rules}))
    fixed = [name for name in edited if limits_of(name) is None]
    remarks = [f"ares.yaml changes {', '.join(fixed)}: {NEW_RUN}"] if fixed else []
    return events, remarks


def _of_registry(
    workspace: Workspace, registry: RegistryState, state: State
) -> tuple[list[Event], list[str]]:
    from ares.adapters.model_store import ModelStore
    from ares.core.take_over import taken_champion
    from ares.domain.errors import AresError
    from ares.domain.model_events import ModelPublished, SlotChangeRequested

    environment = state.setup.environment
    champions, models = registry.champions(environment), ModelStore(workspace.models_dir)
    events: list[Event] = []
    remarks: list[str] = []
    for i, key in enumerate(state.setup.keys):
        champion = champions.get(key, "")
        if champion == taken_champion(state, i):
            continue
        promotion = registry.last_promotion(environment, key)
        reason = promotion.reason if promotion is not None else ""
        if not champion:
            reason = reason or "the registry has no champion"
            events.append(SlotChangeRequested(state.at_ms, i, "withdraw", START, reason))
            continue
        try:
            ensemble = models.ensemble(champion)
        except AresError as error:
            remarks.append(f"{key}: its champion in the registry is not taken over: {error}")
            continue
        verdict = registry.passing_verdict(champion, environment)
        events.append(
            ModelPublished(
                state.at_ms, i, ensemble, "champion", False, verdict, START,
                reason or "champion in the registry", True,
            )
        )  # fmt: skip
    return events, remarks


def _of_new_runs(workspace: Workspace, state: State, learn: bool) -> list[str]:
    """Return what only a new run takes: one line that names it all."""
    from ares.bootstrap.trade_rules import challenger_rules_of

    settings, setup = workspace.settings, state.setup
    confidence = settings.continuous_learning.confidence
    other: Mapping[str, bool] = {
        "account.capital_quote": settings.account.capital_quote != setup.cash_quote,
        "timeframes": set(settings.weights) != set(setup.timeframes),
        "challenger": challenger_rules_of(settings) != setup.challenger_rules,
        "continuous_learning.confidence.validation_discount": (
            confidence.validation_discount != setup.validation_discount
        ),
        "continuous_learning.enabled (--learn)": learn != setup.challenger_lanes,
    }
    named = [name for name, differs in other.items() if differs]
    if not named:
        return []
    return [f"the run keeps its own {', '.join(named)}: {NEW_RUN}"]


def _of_symbols(workspace: Workspace, state: State, requested: Sequence[str]) -> list[str]:
    """Return what this start would add to the instruments of the run, and what it leaves out."""
    from ares.core.halts import BY_REMOVAL

    settings, keys = workspace.settings, state.setup.keys
    configured = [f"{settings.venue}:{symbol}" for symbol in settings.symbols]
    wanted, where = list(requested) or configured, "the start" if requested else "ares.yaml"
    added = [name for name in wanted if not any(is_called(key, name) for key in keys)]
    removed = {halt.instrument for halt in state.halts if halt.reason == BY_REMOVAL}
    reference = f"{settings.venue}:{settings.reference_symbol}"
    missing = [
        key
        for i, key in enumerate(keys)
        if i not in removed and key != reference
        if not any(is_called(key, name) for name in wanted)
    ]
    remarks = []
    if added:
        remarks.append(f"the run has no {', '.join(added)}, which {where} names: {NEW_RUN}")
    if missing:
        remarks.append(
            f"the run trades {', '.join(missing)} too, which {where} does not name: `ares symbols"
            f" remove {missing[0]}` ends that"
        )
    return remarks
