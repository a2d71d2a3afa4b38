"""What must hold before real money is traded: everything that is missing is named, line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ares.domain.model_life import LIVE, EnsemblePromoted
from ares.runtime.registry.registry_state import RegistryState


class LiveChampion(msgspec.Struct, frozen=True):
    """The champion of an instrument in live, as the registry has it.

    promotion    : how it became champion; None: there is none.
    verdict_hash : of its passing verdict for live; empty: it has none.
    """

    instrument: str
    promotion: EnsemblePromoted | None
    verdict_hash: str


class LiveConditions(msgspec.Struct, frozen=True):
    """What a start of live depends on.

    typed         : the account's name as a person typed it; None: nobody has yet.
    address       : another server that the start names; None: the venue's own.
    allow_list, order_quote_max : None: not set.
    venue_problem, key_problem : why the venue takes no orders, or the account has no key; empty:
                    it does, it has.
    champions     : of each instrument on the allow-list.
    """

    mode: str
    enabled: bool
    account_name: str | None
    typed: str | None
    sandbox: bool
    address: str | None
    allow_list: tuple[str, ...] | None
    order_quote_max: float | None
    stop: bool
    venue_problem: str
    key_problem: str
    champions: tuple[LiveChampion, ...]


def missing_for_live(given: LiveConditions) -> tuple[str, ...]:
    """Return what is missing, one line each; empty: real money may be traded."""
    return (*missing_but_name(given), *_name_problem(given))


def missing_but_name(given: LiveConditions) -> tuple[str, ...]:
    """Return what is missing beside the typed name: a person is asked for it last."""
    checks: Sequence[tuple[bool, str]] = (
        (given.mode == LIVE, "live_trading.mode is not live"),
        (given.enabled, "live_trading.enabled is not true"),
        (bool(given.account_name), "live_trading.account_name is not set: a name of your choice"),
        (
            bool(given.allow_list),
            "live_trading.instruments is not set: the symbols that may be bought",
        ),
        (
            given.order_quote_max is not None,
            "live_trading.order_quote_max is not set: the most that one order may cost",
        ),
        (given.stop, "strategy.stop is not true: every position must have a stop"),
        (
            not given.sandbox,
            "live_trading.sandbox is true: that is a rehearsal, `ares run --env rehearsal/NAME`",
        ),
        (
            given.address is None,
            f"--address {given.address} is a rehearsal, `ares run --env rehearsal/NAME`",
        ),
        (not given.venue_problem, given.venue_problem),
        (not given.key_problem, given.key_problem),
    )
    return (*(text for holds, text in checks if not holds), *_champion_problems(given))


def _name_problem(given: LiveConditions) -> tuple[str, ...]:
    if given.account_name and given.typed == given.account_name:
        return ()
    if given.typed is None:
        return ("the account's name was not typed: --account NAME, or at a terminal",)
    return (f"'{given.typed}' is not live_trading.account_name",)


def _champion_problems(given: LiveConditions) -> tuple[str, ...]:
    """Return what is wrong with the champions that would trade."""
    found = [_champion_problem(champion) for champion in given.champions]
    problems = tuple(problem for problem in found if problem)
    if not problems and not any(champion.promotion for champion in given.champions):
        return (
            "no instrument of the allow-list has a champion in live: `ares models validate SYMBOL"
            " --env live`, then `ares models promote SYMBOL --env live`",
        )
    return problems


def _champion_problem(champion: LiveChampion) -> str:
    promotion = champion.promotion
    if promotion is None:
        return ""
    name = f"{champion.instrument}: its champion {promotion.ensemble_hash[:12]}"
    if promotion.forced:
        return f"{name} was forced: real money needs a passing verdict"
    if not champion.verdict_hash:
        return f"{name} has no passing verdict for live"
    return ""


def live_champions(registry: RegistryState, keys: Sequence[str]) -> tuple[LiveChampion, ...]:
    """Return the champions in live of some instruments; those of the registry are persons'."""
    champions: Mapping[str, str] = registry.champions(LIVE)
    return tuple(
        LiveChampion(
            key,
            registry.last_promotion(LIVE, key) if champions.get(key) else None,
            registry.passing_verdict(champions.get(key, ""), LIVE),
        )
        for key in keys
    )
