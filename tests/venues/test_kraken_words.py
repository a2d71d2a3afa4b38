"""Which of Kraken's errors say that nothing was done."""

from __future__ import annotations

import pytest

from ares.venues.kraken_words import is_refusal, is_unknown_order


@pytest.mark.parametrize(
    "text",
    [
        "EOrder:Insufficient funds",
        "EOrder:Order minimum not met",
        "EOrder:Rate limit exceeded",
        "EOrder:Unknown order",
        "EGeneral:Permission denied",
        "EAPI:Invalid key",
        "EAPI:Invalid nonce",
        "EService:Deadline elapsed",
        "EService:Market in cancel_only mode",
        "EQuery:Unknown asset pair",
    ],
)
def test_a_refusal_is_the_word_that_nothing_was_done(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "EService:Timeout",
        "EService:Unavailable",
        "EService:Busy",
        "EGeneral:Internal error",
        "EGeneral:Temporary lockout",
        "EAPI:Rate limit exceeded",
        "EDatabase:Internal error",
        "EGeneral:Invalid arguments:cl_ord_id",  # an order with our id may be open
        "something new",
        "",
    ],
)
def test_everything_else_leaves_the_outcome_open(text: str) -> None:
    assert not is_refusal(text)


def test_an_unknown_order_is_recognised() -> None:
    assert is_unknown_order("EOrder:Unknown order")
    assert not is_unknown_order("EOrder:Insufficient funds")
