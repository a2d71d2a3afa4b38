"""What a start takes over from the settings and the registry, where these changed since.

The settings and the registry are compared with what they had when they were last taken over, not
with the run: what a person set while it ran, and what the engine changed by itself, stays until
somebody changes the same thing there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ares.core.initial_state import rules_in_force
from ares.core.rule_changes import apply_rules, checked_rules, decoded_rules, limits_of
from ares.core.slot import first_champion
from ares.core.slot_history import taken_by
from ares.core.state import State
from ares.domain.events import Effect, Event
from ares.domain.order_events import CommandDone, CommandGiven

VERB = "settings"
FILE = "ares.yaml"


def edited_rules(state: State, wanted: Mapping[str, float]) -> dict[str, float]:
    """Return the rules that the settings have otherwise than when they were last taken over.

    wanted : all rules by name, as the settings have them.
    """
    before = state.taken_rules or state.setup.rules
    return {name: value for name, value in sorted(wanted.items()) if before.get(name) != value}


def taken_champion(state: State, i: int) -> str:
    """Return the champion of instrument ``i`` that the registry had when it was last taken over;
    empty: none.
    """
    key = state.setup.instruments[i].spec.instrument.key
    return state.taken_champions.get(key, first_champion(state.setup, i))


def take_settings(state: State, who: str, args: Mapping[str, str]) -> tuple[list[Effect], str]:
    """Put the rules that were changed in the settings into force; return facts and the answer.

    args : ``rules``, all rules as the settings have them, as JSON.

    Raises ValueError with the reason of a refusal; nothing has changed then.
    """
    wanted = decoded_rules(args.get("rules", ""))
    edited = edited_rules(state, wanted)
    fixed = [name for name in edited if limits_of(name) is None]
    live = {name: value for name, value in edited.items() if limits_of(name) is not None}
    current = rules_in_force(state)
    changed = dict(sorted(checked_rules(current | live, current).items()))
    _note_rules(state, wanted)
    effects: list[Effect] = []
    texts = [f"{name} is {value:g}" for name, value in live.items()]
    if changed:
        value = ", ".join(f"{name}={value:g}" for name, value in changed.items())
        effects.append(apply_rules(state, FILE, value, who, changed))
    if fixed:
        texts.append(f"{', '.join(fixed)}: a new run only")
    return effects, f"taken over: {'; '.join(texts) or 'nothing'}"


def note_taken(state: State, event: Event, effects: Sequence[Effect]) -> None:
    """Note what a journaled event took over, where its effects are folded and not stepped: before
    its answer is, for one that is delivered again is only answered again.
    """
    match event:
        case CommandGiven(verb="settings") if event.id not in state.answers:
            if not any(isinstance(effect, CommandDone) for effect in effects):
                return
            _note_rules(state, decoded_rules(event.args.get("rules", "")))
        case _:
            state.taken_champions |= taken_by(event, effects, state.setup)


def _note_rules(state: State, wanted: Mapping[str, float]) -> None:
    """Keep what the settings have; a rule that only a new run takes stays what it was."""
    before = state.taken_rules or state.setup.rules
    state.taken_rules = before | {
        n: value for n, value in wanted.items() if limits_of(n) is not None
    }
