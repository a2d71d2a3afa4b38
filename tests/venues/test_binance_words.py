"""Which errors of Binance are its word that nothing was done."""

from __future__ import annotations

import pytest

from ares.venues.binance_words import FORM, is_refusal, is_unknown_order


@pytest.mark.parametrize(
    "text",
    [
        "-2010 Account has insufficient balance for requested action.",
        "-2010 Stop price would trigger immediately.",
        "-1013 Filter failure: NOTIONAL",
        "-1021 Timestamp for this request is outside of the recvWindow.",
        "-1102 Mandatory parameter 'side' was not sent",
        "-2011 Unknown order sent.",
        "-2015 Invalid API-key, IP, or permissions for action.",
    ],
)
def test_refusals(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "-1000 An unknown error occurred while processing the request.",
        "-1001 Internal error; unable to process your request.",
        "-1003 Too many requests.",
        "-1006 An unexpected response was received from the message bus.",
        "-1007 Timeout waiting for response from backend server.",
        "-1008 Server is currently overloaded.",
        "-2010 Duplicate order sent.",
        "418 I'm a teapot",
        "",
    ],
)
def test_what_leaves_the_outcome_open(text: str) -> None:
    assert not is_refusal(text)


def test_an_order_that_does_not_exist() -> None:
    assert is_unknown_order("-2013 Order does not exist.")
    assert not is_unknown_order("-2015 Invalid API-key")


def test_the_form_of_answers() -> None:
    error = {"code": -2010, "msg": "no"}
    assert FORM.errors(400, error) == ["-2010 no"]
    assert [FORM.errors(200, answer) for answer in ({"code": 200}, {}, [1], None)] == [[]] * 4
    assert FORM.result([{"id": 1}]) == {"rows": [{"id": 1}]}
    assert (FORM.result({"a": 1}), FORM.result("text")) == ({"a": 1}, None)
