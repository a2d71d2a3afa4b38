"""Which keys are refused for live trading, and what is said of the others."""

from __future__ import annotations

import msgspec
import pytest

from ares.domain.key_rights import KeyRights

GOOD = KeyRights("kraken", True, can_query=True, can_trade=True, can_cancel=True, addresses=())


def test_a_key_that_trades_and_cannot_withdraw_is_taken() -> None:
    assert GOOD.problems() == []
    assert GOOD.remarks() == ["bound to no address: whoever has it can use it from anywhere"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"can_withdraw": True}, "it can withdraw"),
        ({"nonce_window": 1}, "nonce window is 1"),
        ({"can_trade": False}, "cannot send orders"),
        ({"can_cancel": False}, "cannot cancel"),
        ({"can_query": False}, "cannot query"),
        ({"is_known": False}, "does not tell what a key may do"),
    ],
)
def test_other_keys_are_refused(change: dict[str, object], text: str) -> None:
    (problem,) = msgspec.structs.replace(GOOD, **change).problems()
    assert text in problem


def test_a_person_allows_what_they_have_looked_at() -> None:
    withdraws = msgspec.structs.replace(GOOD, can_withdraw=True)
    assert withdraws.problems(("withdraw",)) == []
    assert withdraws.problems(("unknown-rights",))
    unknown = KeyRights("alpaca", is_known=False)
    assert unknown.problems(("unknown-rights",)) == []
    assert unknown.problems(("withdraw",))
    window = msgspec.structs.replace(GOOD, nonce_window=5)
    assert window.problems(("withdraw", "unknown-rights"))


def test_each_role_needs_its_own_rights() -> None:
    reader = KeyRights("kraken", True, can_query=True, addresses=("10.0.0.1",))
    assert reader.problems(role="reader") == []
    assert reader.remarks("reader") == ["bound to 10.0.0.1"]
    assert len(reader.problems(role="watchdog")) == 1
    assert "it can do more than read" in GOOD.remarks("reader")
    assert any("can send orders" in text for text in GOOD.remarks("watchdog"))
    unbound = msgspec.structs.replace(GOOD, addresses=None)
    assert unbound.remarks() == ["kraken does not tell whether the key is bound to an address"]
