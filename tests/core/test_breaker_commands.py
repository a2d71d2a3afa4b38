"""Breakers in a person's hands: a drill opens one, and recovering or resetting it closes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ares.core.snapshot import restore, snapshot
from ares.domain.events import BreakerChanged
from ares.domain.order_events import CancelOrder, CommandDone, CommandRefused
from ares.kernel.trade.decide import entry_refusal
from ares.kernel.trade.layout import BREAKER_NAMES, REFUSAL_NAMES

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments


def breaker(two: TwoInstruments, action: str, name: str, **args: str) -> str:
    """Give a command that is carried out; return the answer."""
    answer = two.command("breaker", action=action, name=name, reason="test", **args)[-1]
    assert isinstance(answer, CommandDone), answer
    return answer.detail


def refusal(two: TwoInstruments, lane: int = 0) -> str:
    """Return why an entry would be refused now."""
    for row in two.state.trade.book:  # what is looked at after mode and champion
        row["mode"] = 1
    two.state.params.specs["has_champion"] = 1
    return REFUSAL_NAMES[entry_refusal(lane, two.at_ms, two.state.trade, two.state.params)]


@pytest.mark.parametrize("name", BREAKER_NAMES)
def test_a_drill_opens_each_breaker_until_it_is_recovered(two: TwoInstruments, name: str) -> None:
    assert refusal(two) == "allowed"
    assert breaker(two, "test", name) == f"breaker {name} is open"
    assert refusal(two) == f"breaker_{name}"
    two.state = restore(two.setup, snapshot(two.state))
    assert refusal(two) == f"breaker_{name}", "also after a restart"
    assert breaker(two, "recover", name) == f"breaker {name} is half-open"
    assert refusal(two) == "allowed"
    assert breaker(two, "test", name) == f"breaker {name} is open"
    assert breaker(two, "reset", name) == f"breaker {name} is closed"
    assert refusal(two) == "allowed"
    assert int(two.state.trade.account[0]["breakers_open"]) == 0


def test_the_fact_names_who_did_it(two: TwoInstruments) -> None:
    changed, _ = two.command("breaker", action="test", name="gas", reason="drill of May")
    assert changed == BreakerChanged(
        -1, two.at_ms, "gas", "closed", "open", 0.0, 0.0, {}, "test by ada: drill of May"
    )


def test_volatility_is_tripped_for_one_instrument_or_for_all(two: TwoInstruments) -> None:
    breaker(two, "test", "volatility", instrument="T1/USDT")
    assert [refusal(two, lane) for lane in (0, 1)] == ["allowed", "breaker_volatility"]
    breaker(two, "test", "volatility")
    assert refusal(two, 0) == "breaker_volatility"
    breaker(two, "reset", "volatility")
    assert [refusal(two, lane) for lane in (0, 1)] == ["allowed", "allowed"]


@pytest.mark.parametrize(
    ("action", "name", "reason"),
    [
        ("recover", "gas", "breaker gas is closed: nothing to recover"),
        ("reset", "volatility", "breaker volatility is closed: nothing to reset"),
        ("test", "fun", "there is no breaker fun: win_rate, drawdown, failures"),
        ("break", "gas", "unknown action break on a breaker: recover, reset, test"),
        ("", "", "unknown action"),
    ],
)
def test_what_makes_no_sense_is_refused(
    two: TwoInstruments, action: str, name: str, reason: str
) -> None:
    (answer,) = two.command("breaker", action=action, name=name)
    assert isinstance(answer, CommandRefused)
    assert answer.reason.startswith(reason)


def test_one_that_is_closed_by_a_person_looks_at_nothing_before(two: TwoInstruments) -> None:
    account = two.state.trade.account[0]
    account["failures"] = account["execution_count"] = account["win_count"] = 9
    account["gas_recent"], account["peak_equity"] = 9.0, 10**15
    for name in BREAKER_NAMES:
        breaker(two, "test", name)
        breaker(two, "reset", name)
    for name in ("failures", "execution_count", "win_count", "gas_recent"):
        assert int(account[name]) == 0
    assert int(account["peak_equity"]) == int(account["equity"])


def test_a_drill_of_drawdown_cancels_entries_where_it_sells_everything(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.accept(entry)
    assert not [e for e in two.command("breaker", action="test", name="drawdown")[:-1]
                if isinstance(e, CancelOrder)]  # fmt: skip
    breaker(two, "reset", "drawdown")
    two.command("config", key="risk.on_drawdown", value="close", rules='{"close_on_drawdown": 1.0}')
    effects = two.command("breaker", action="test", name="drawdown")
    assert [e.client_id for e in effects if isinstance(e, CancelOrder)] == [entry]
